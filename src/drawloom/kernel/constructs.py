"""What the engine does itself instead of calling a tool: sub-chains, waits, approvals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from drawloom.dataflow.durations import seconds
from drawloom.dataflow.validation import validator_for
from drawloom.errors import Failure, FailureKind, ValueInvalid
from drawloom.kernel import streaming
from drawloom.kernel.failures import of_mapping
from drawloom.kernel.life import Life, Puller
from drawloom.kernel.messages import Approved, CancelCall, SetTimer, SignalReceived, StartChild

if TYPE_CHECKING:
    from drawloom.kernel.run import Run

# Every wait has a deadline; this is the one of those that name none.
DEADLINE: Final = 7 * 86_400.0  # seconds


def begin(run: Run, life: Life, call: str, args: dict[str, Any]) -> None:
    """Begin what is no tool call, under the call id that it has."""
    try:
        match life.step.construct:
            case "stream" if isinstance(life, Puller):
                streaming.ask(run, life, call, args)
            case "stream":
                _over(run, call, life, streaming.value_of(life.step, args))
            case "chain":
                _start_child(run, life, call, args)
            case "wait":
                _wait(run, life, call, args)
            case "approve":
                life.votes = {}
                _wait_outside(run, life, call, args.get("deadline"))
    except ValueInvalid as exc:
        run.calls.pop(call, None)
        run._give_up(life, of_mapping(life, exc))


def timer_fired(run: Run, life: Life) -> None:
    """A wait is over, or its deadline has come."""
    if life.step.construct == "chain":
        _child_is_late(run, life)
        return
    del run.calls[life.call]
    run.waits.pop(life.call, None)
    then = life.args.get("on_deadline", "fail")
    if life.step.construct == "approve":
        _approval_is_late(run, life, then)
    elif life.args.get("signal") is None or then == "continue":
        run._succeed(life, _waited(run, None, None))
    else:
        name = life.args["signal"]
        _late(run, life, f"the signal {name!r} did not come in time")


def _over(run: Run, call: str, life: Life, output: Any) -> None:
    run.calls.pop(call, None)
    if run.waits.pop(call, None) is not None:
        run._commands.append(CancelCall(call))  # its deadline
    run._succeed(life, output)


def _set(run: Run, life: Life, call: str, due: int) -> None:
    life.due = due
    run._commands.append(SetTimer(call, due))


def _late(run: Run, life: Life, message: str) -> None:
    details = {"place": life.place}
    run._give_up(life, Failure(FailureKind.TIMEOUT, message, None, details))


# -- sub-chains ------------------------------------------------------------------


def _start_child(run: Run, life: Life, call: str, args: dict[str, Any]) -> None:
    step = life.step
    assert step.child is not None
    run._commands.append(StartChild(call, step, step.child, args.get("input") or {}))
    if step.timeout:
        _set(run, life, call, run._at + round(step.timeout * 1_000_000))


def _child_is_late(run: Run, life: Life) -> None:
    """The child is asked to stop, and cleans up; its end is waited for."""
    if life.failure is None and not life.cut:
        message = f"chain {life.args['chain']} took longer than {life.step.timeout:g} s"
        life.failure = Failure(FailureKind.TIMEOUT, message, None, {"place": life.place})
        run._commands.append(CancelCall(life.call))


def child_ended_badly(run: Run, life: Life, failure: Failure) -> None:
    """A child that was asked to stop has ended: because of its deadline, or of the run's stop."""
    if life.cut:
        run._cut_short(life)
    elif life.failure is not None:
        run._give_up(life, life.failure)


# -- waits -----------------------------------------------------------------------


def _wait(run: Run, life: Life, call: str, args: dict[str, Any]) -> None:
    given = [name for name in ("duration", "until", "signal") if args.get(name) is not None]
    if len(given) != 1:
        raise ValueInvalid("core.wait wants just one of duration, until and signal")
    if args.get("duration") is not None:
        _set(run, life, call, run._at + _microseconds(args["duration"]))
    elif args.get("until") is not None:
        _set(run, life, call, _instant(args["until"]))
    elif queue := run.signals.get(args["signal"]):
        payload = queue.popleft()
        check_payload(args, payload)
        _over(run, call, life, _waited(run, args["signal"], payload))
    else:
        _wait_outside(run, life, call, args.get("deadline"))


def _wait_outside(run: Run, life: Life, call: str, deadline: Any) -> None:
    """Nothing inside can end it: a person or another system does, or the deadline."""
    within = round(DEADLINE * 1_000_000) if deadline is None else _microseconds(deadline)
    run.waits[call] = life
    _set(run, life, call, run._at + within)


def _microseconds(written: Any) -> int:
    try:
        return round(seconds(written) * 1_000_000)
    except ValueError as exc:
        raise ValueInvalid(str(exc)) from None


def _instant(written: str) -> int:
    """Microseconds since 1970 of an RFC 3339 instant."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueInvalid(
            f"{written!r} is no instant; write it as RFC 3339 with its zone: 2026-05-01T09:00:00Z"
        )
    return round(found.timestamp() * 1_000_000)


def _waited(run: Run, signal: str | None, payload: Any) -> dict[str, Any]:
    received = signal is not None
    return {"received": received, "signal": signal, "payload": payload, "at": run._at // 1000}


def check_payload(args: Mapping[str, Any], payload: Any) -> None:
    """Raises `ValueInvalid` where a signal's payload does not fit the wait's schema."""
    schema = args.get("schema")
    if schema is not None:
        validator_for(schema).check(payload, where="payload")


def signalled(run: Run, event: SignalReceived) -> None:
    """A signal ends the first wait for it, or is kept for one to come."""
    for call, life in run.waits.items():
        if life.step.construct == "wait" and life.args["signal"] == event.name:
            _over(run, call, life, _waited(run, event.name, event.payload))
            return
    run.keep_signal(event)


# -- approvals -------------------------------------------------------------------


def approved(run: Run, event: Approved) -> None:
    """One person's word: the last that is needed, or a no, ends the wait."""
    life = run.waits.get(event.call)
    if life is None or life.votes is None:
        return
    life.votes[event.by] = (event.answers, event.comment)
    needed = int(life.args.get("needed", 1))
    if event.approve and len(life.votes) < needed:
        return
    if not event.approve and life.args.get("on_reject", "fail") == "fail":
        _rejected(run, life, event)
        return
    _over(run, event.call, life, _decision(run, life, event.approve))


def _rejected(run: Run, life: Life, event: Approved) -> None:
    del run.calls[event.call], run.waits[event.call]
    run._commands.append(CancelCall(event.call))
    why = f": {event.comment}" if event.comment else ""
    details = {"place": life.place, "by": event.by}
    message = f"rejected by {event.by}{why}"
    run._give_up(life, Failure(FailureKind.DENIED, message, None, details))


def _approval_is_late(run: Run, life: Life, then: str) -> None:
    if then == "fail":
        _late(run, life, "nobody who was asked has answered in time")
    else:
        run._succeed(life, _decision(run, life, then == "approve", late=True))


def _decision(run: Run, life: Life, approve: bool, *, late: bool = False) -> dict[str, Any]:
    votes = life.votes or {}
    answers: dict[str, Any] = {}
    for given, _ in votes.values():
        answers.update(given)
    return {
        "approved": approve,
        "by": list(votes),
        "answers": answers,
        "comments": {by: comment for by, (_, comment) in votes.items() if comment},
        "late": late,
        "at": run._at // 1000,
    }
