"""Lives of chains with what the engine does itself: repeats, waits, approvals, sagas, streams.

The chains are random mixtures of these; the world answers, fails, forgets and
crashes as in `world`. What must hold is said here of the whole life, not of
each turn: see `Life.judge`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from tests.simulation.places import require
from tests.simulation.world import SMALL, snapshot

from drawloom.chains import Plan, chain_of, compile_chain, load
from drawloom.dataflow.expressions import FULL
from drawloom.dataflow.references import Condition, Evaluation, Template
from drawloom.errors import Failure, FailureKind
from drawloom.kernel import (
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelCall,
    CancelRequested,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Pin,
    Resolved,
    Run,
    SetTimer,
    Started,
    TimerFired,
)
from drawloom.kernel.messages import (
    Admit,
    Admitted,
    Approved,
    Pull,
    Pulled,
    Refuse,
    Refused,
    SignalReceived,
    StartChild,
)
from drawloom.policies import Effect

LARGE = "$sum($map([1..400], function($x){$x}))"  # more than SMALL allows
LONGEST = 4_000
LOST = Failure(FailureKind.LOST, "the process ended during the call")
ITEMS = 7  # of each stream
SECOND = 1_000_000


def _tool(name: str) -> Any:
    kind = name.partition(".")[2]
    made: dict[str, Any] = {"construct": "", "streams": False}
    if name.startswith("core."):
        made["construct"] = kind
    if kind == "rows":
        made["streams"] = True
    effect = "keyed" if kind in ("chain", "keyed") else "once" if kind == "once" else "read"
    schema = {"type": "object", "properties": {}}
    return SimpleNamespace(
        name=name, effect=Effect(effect), connection=None, timeout=None, input_schema=schema,
        output_schema={}, **made,
    )  # fmt: skip


_CHILD = load("{chain: child, steps: {a: {use: t.read}}}")


def draw(rng: random.Random) -> Plan:
    """A chain of two to six steps, each of a kind of its own, some after others."""
    steps: dict[str, Any] = {}
    for number in range(rng.randint(2, 6)):
        step = rng.choice(_KINDS)(rng)
        if steps and rng.random() < 0.5:
            outcome = rng.choice(("succeeded", "succeeded", "finished"))
            step["after"] = {rng.choice(sorted(steps)): outcome}
        if rng.random() < 0.5 and step["use"] in ("t.keyed", "t.once") and "repeat" not in step:
            step["compensate"] = _undo(rng)
        if rng.random() < 0.2:
            step["on_error"] = "continue"
        steps[f"s{number}"] = step
    if rng.random() < 0.5:
        steps |= _stream(rng)
    document: dict[str, Any] = {"chain": "c", "steps": steps}
    if rng.random() < 0.2:
        document["timeout"] = rng.choice((5, 100))
    if rng.random() < 0.2:
        document["concurrency"] = 1
    return compile_chain(chain_of(document), _tool, find_chain=lambda name: _CHILD)


def _undo(rng: random.Random) -> dict[str, Any]:
    undo: dict[str, Any] = {"use": rng.choice(("t.keyed", "t.once"))}
    if rng.random() < 0.3:
        undo["with"] = {"v": f"${{{LARGE}}}"}
    elif rng.random() < 0.2:
        undo["with"] = {"v": "${output.nowhere}"}
    return undo


def _stream(rng: random.Random) -> dict[str, Any]:
    steps: dict[str, Any] = {"source": {"use": "t.rows"}}
    batch = rng.choice((1, 2, 3))
    steps["load"] = {
        "use": rng.choice(("t.keyed", "t.once")), "for_each": "${steps.source}",
        "batch": batch, "concurrency": rng.randint(1, 3), "with": {"rows": "${item}"},
        "retry": {"attempts": 3, "delay": 1},
    }  # fmt: skip
    if rng.random() < 0.15:
        steps["load"]["with"] = {"rows": "${item[0].nowhere}"}
    return steps


def _plain(rng: random.Random) -> dict[str, Any]:
    step: dict[str, Any] = {"use": rng.choice(("t.keyed", "t.once", "t.read"))}
    if rng.random() < 0.3:
        step["for_each"] = [1, 2, 3]
    return step


def _repeat(rng: random.Random) -> dict[str, Any]:
    until = rng.choice(
        ("true", "$millis() % 3 = 0", f"{LARGE} < 0", f"{LARGE} > 0", "nowhere.at.all")
    )
    again: dict[str, Any] = {"until": until, "limit": rng.randint(1, 4)}
    if rng.random() < 0.7:
        again["delay"] = 2
    use = rng.choice(("t.keyed", "t.read", "t.once"))
    step: dict[str, Any] = {"use": use, "repeat": again}
    step["retry"] = {"attempts": 2, "delay": 1}
    if rng.random() < 0.5:
        step["with"] = {"v": rng.choice((f"${{{LARGE}}}", "${$millis() % 3 = 0 ? nowhere : 1}"))}
    if rng.random() < 0.3:
        step["for_each"] = [1, 2]
    return step


def _wait(rng: random.Random) -> dict[str, Any]:
    given: dict[str, Any] = rng.choice(
        (
            {"duration": "5s"},
            {"signal": "go", "deadline": rng.choice(("10s", "1h"))},
            {"signal": "go", "deadline": "10s", "on_deadline": "continue"},
        )
    )
    return {"use": "core.wait", "with": given}


def _approve(rng: random.Random) -> dict[str, Any]:
    given = {
        "title": "?", "needed": rng.randint(1, 2), "deadline": rng.choice(("10s", "1h")),
        "on_deadline": rng.choice(("fail", "approve", "reject")),
        "on_reject": rng.choice(("fail", "continue")),
    }  # fmt: skip
    return {"use": "core.approve", "with": given}


def _chain(rng: random.Random) -> dict[str, Any]:
    step: dict[str, Any] = {"use": "core.chain", "with": {"chain": "child"}}
    if rng.random() < 0.3:
        step["timeout"] = 20
    if rng.random() < 0.3:
        step["for_each"] = [1, 2]
    return step


_KINDS: tuple[Callable[[random.Random], dict[str, Any]], ...] = (
    _plain, _plain, _repeat, _wait, _approve, _chain,
)  # fmt: skip


class Life:
    """One life of one chain."""

    def __init__(self, seed: int, make_run: Callable[..., Run] = Run) -> None:
        self.seed, self.rng = seed, random.Random(seed)
        self.make_run = make_run
        self.plan = draw(self.rng)
        self.at = 1_700_000_000 * SECOND
        self.journal: list[Event] = []
        self.durable = 0
        self.fired: Counter[str] = Counter()
        self.open: dict[str, Command] = {}  # calls, children and pulls without an answer
        self.timers: dict[str, int] = {}
        self.evaluating: dict[str, Evaluate] = {}
        self.posted: list[Event] = []  # what the driver says back at once
        self.ids: set[str] = set()  # of calls, since the last crash
        self.passes: Counter[str] = Counter()
        self.stopped = self.turn = False
        self.rows: dict[str, list[int]] = {}  # what each call for a stream's items was given
        self.given: Counter[tuple[str, int]] = Counter()  # (call's place, item) that succeeded
        self.done: list[str] = []  # places that succeeded and can be undone, in their order
        self.undone: list[str] = []
        self.cancelled_children: set[str] = set()
        self.trouble = self.rng.choice((0.05, 0.2, 0.5))
        self.cancels = self.rng.random() < 0.3
        self.run = self._fresh()

    def _fresh(self) -> Run:
        return self.make_run(self.plan, f"run-{self.seed}", budget=SMALL)

    def live(self) -> Life:
        """From the start to the end; raises `Violation`."""
        self.pinned = self.rng.random() < 0.1
        pins = {"s0": Pin(output={"pinned": True})} if self.pinned else None
        self.feed(Started({}, self.at, pins))
        for _ in range(LONGEST):
            while self.posted:
                self.feed(self.posted.pop(0))
            if self.run.finished is not None:
                self.judge()
                return self
            self.at += self.rng.randrange(1, SECOND)
            if self.rng.random() < 0.05 and self.fired["crash"] < 5:
                self._crash()
            elif self.rng.random() < 0.03 and self.cancels:
                self.feed(CancelRequested("asked", self.at))
            else:
                self._go_on()
        raise AssertionError(f"life {self.seed} does not end")

    def feed(self, event: Event) -> None:
        """Journal one event, and carry out what the kernel says."""
        self.fired[type(event).__name__] += 1
        self.journal.append(event)
        self._observe(event)
        stopped = self.run.stopping
        commands = self.run.receive(event)
        if isinstance(event, TimerFired) and event.call == "?timeout":
            stopped = stopped or self.run.finished is None
        self.stopped = self.stopped or stopped
        for command in commands:
            self._check(command)
            self._carry_out(command)
        if self.run.stopping:
            self._check_children()

    def _check(self, command: Command) -> None:
        """What may be begun, with what, and under which name."""
        if not isinstance(command, CallTool | StartChild | Pull):
            return
        require(command.call not in self.ids, f"the call id {command.call} is used twice")
        self.ids.add(command.call)
        require(self.turn or self.plan.queueing is None, f"{command.call} before its turn")
        name = command.call.partition("#")[0].partition("[")[0].partition("<")[0]
        step = self.plan.by_name[name]
        require(not self.stopped or step.cleanup, f"{command.call} is begun, though all stops")
        require(not name.startswith("s0") or not self.pinned, "a pinned step is called")
        if isinstance(command, CallTool) and name == "load":
            index, size = command.item or 0, step.batch or 1
            wanted = list(range(ITEMS))[index * size : (index + 1) * size]
            rows = (command.args or {}).get("rows")
            require(rows == wanted, f"{command.call} got {rows}, not {wanted}")

    def _check_children(self) -> None:
        for call, command in self.open.items():
            if isinstance(command, StartChild) and not command.step.cleanup:
                require(call in self.cancelled_children, f"the child of {call} was not stopped")

    def _carry_out(self, command: Command) -> None:
        match command:
            case CallTool(call=call):
                require(call not in self.open, f"{call} is made twice")
                self.open[call] = command
                if command.step.name == "load" and isinstance(command.args.get("rows"), list):
                    self.rows[call] = command.args["rows"]
                if not command.step.effect.looks_only:
                    self.durable = len(self.journal)
            case StartChild(call=call) | Pull(call=call):
                require(call not in self.open, f"{call} is made twice")
                self.open[call] = command
            case _:
                self._carry_out_more(command)

    def _carry_out_more(self, command: Command) -> None:
        match command:
            case Refuse(call=call, failure=failure):
                self.posted.append(Refused(call, failure, self.at))
            case Admit():
                self.posted.append(Admitted(self.at))
            case SetTimer(call=call, due=due):
                self.timers[call] = due
            case CancelCall(call=call):
                self.timers.pop(call, None)
                if isinstance(self.open.get(call), StartChild):
                    self.cancelled_children.add(call)
                else:
                    self.open.pop(call, None)
            case Evaluate(place=place):
                self.evaluating[place] = command
            case Finish():
                self.durable = len(self.journal)

    # -- what may happen ---------------------------------------------------------

    def _go_on(self) -> None:
        choices: list[Callable[[], None]] = [partial(self._answer, c) for c in self.open.values()]
        choices += [partial(self._evaluate, command) for command in self.evaluating.values()]
        choices += [partial(self._resolve, call) for call in self.run.unknown_calls]
        choices += [partial(self._come, life) for life in self.run.waits.values()]
        # Time passes when there is nothing else to do, or sometimes before.
        if self.timers and (not choices or self.rng.random() < 0.2):
            choices.append(self._time)
        require(choices, "nothing can happen any more, and the run has not ended")
        self.rng.choice(choices)()

    def _time(self) -> None:
        call = min(self.timers, key=lambda name: (self.timers[name], name))
        self.at = max(self.at, self.timers.pop(call))
        self.feed(TimerFired(call, self.at))

    def _answer(self, command: Any) -> None:
        call = command.call
        del self.open[call]
        if isinstance(command, Pull) and self.rng.random() > self.trouble:
            self._pull(command)
            return
        cancelled = call in self.cancelled_children
        if cancelled or isinstance(command, Pull) or self.rng.random() < self.trouble:
            kind = FailureKind.CONFLICT if cancelled else self.rng.choice(list(FailureKind))
            if isinstance(command, Pull) and kind is FailureKind.LOST:
                kind = FailureKind.TRANSIENT
            self.feed(CallFailed(call, Failure(kind, f"{kind} by the world"), self.at))
            return
        self.feed(CallSucceeded(call, {"by": call}, self.at))

    def _observe(self, event: Event) -> None:
        """Note what succeeds, before the kernel hears of it."""
        self.turn = self.turn or isinstance(event, Admitted)
        if isinstance(event, CallSucceeded):
            life = self.run.calls.get(event.call)
            good = life is not None and life.status == "running"
        else:
            waits = isinstance(event, Resolved) and event.call in self.run.unknown_calls
            good = waits and event.outcome == "succeeded"  # type: ignore[union-attr]
        if not good or event.call.startswith("source"):  # type: ignore[union-attr]
            return
        call = event.call  # type: ignore[union-attr]
        step, place = self.plan.step_of(call), call.partition("#")[0]
        if step.repeat is not None:
            self.passes[place] += 1
            require(self.passes[place] <= step.repeat.limit, f"{place} goes on beyond its limit")
        if step.undoes:
            self.undone.append(place)
        elif step.undo is not None:
            self.done.append(place)
        if step.name == "load":
            for row in self.rows.get(call, ()):
                self.given[place, row] += 1

    def _pull(self, command: Pull) -> None:
        start = command.after or 0
        items = list(range(ITEMS))[start : start + command.most]
        after = start + len(items)
        self.feed(Pulled(command.call, self.at, len(items), after, after >= ITEMS, items))

    def _evaluate(self, command: Evaluate) -> None:
        del self.evaluating[command.place]
        evaluation = Evaluation(FULL, command.now * 1000, command.seed)
        event = Evaluated(command.place, self.at)
        try:
            if command.kind == "condition":
                value: Any = Condition(command.source).holds(command.scope, evaluation)
            else:
                value = Template(command.source).fill(command.scope, evaluation)
            event = Evaluated(command.place, self.at, value)
        except Exception as exc:  # noqa: BLE001  # as an expression goes wrong
            failure = Failure(FailureKind.INVALID, str(exc))
            event = Evaluated(command.place, self.at, failure=failure)
        self.feed(event)

    def _resolve(self, call: str) -> None:
        outcome: Any = self.rng.choice(("succeeded", "failed", "again"))
        self.feed(Resolved(call, outcome, self.at, {"by": call}))

    def _come(self, life: Any) -> None:
        if life.step.construct == "wait":
            self.feed(SignalReceived("go", self.seed, self.at))
        else:
            by = self.rng.choice(("ada", "bob", "cyd"))
            self.feed(Approved(life.call, by, self.rng.random() < 0.7, self.at))

    # -- crashes -----------------------------------------------------------------

    def _crash(self) -> None:
        """All but the journal is gone, and of a stream nothing but where it stood."""
        self.fired["crash"] += 1
        before = snapshot(self.run)
        kept = self.rng.randint(max(self.durable, 1), len(self.journal))
        lost = len(self.journal) - kept
        del self.journal[kept:]
        self.journal = [_unread(event) for event in self.journal]
        children = {c for c, command in self.open.items() if isinstance(command, StartChild)}
        self.run = self._fresh()
        self.open, self.timers, self.evaluating, self.posted = {}, {}, {}, []
        self.done, self.undone, self.given = [], [], Counter()
        self.passes, self.stopped, self.turn = Counter(), False, False
        answers = (CallSucceeded, CallFailed, Pulled)
        self.ids = {event.call for event in self.journal if isinstance(event, answers)}
        asked: dict[str, Command] = {}
        for event in self.journal:
            self._observe(event)
            commands = self.run.receive(event)
            self.stopped = self.stopped or self.run.stopping
            for command in commands:
                if isinstance(command, Evaluate):
                    self.evaluating[command.place] = command
                elif isinstance(command, StartChild):
                    asked[command.call] = command
            if isinstance(event, Evaluated):
                self.evaluating.pop(event.place, None)
        self.evaluating = {p: c for p, c in self.evaluating.items() if p in self.run.evaluations}
        if not lost and "load" not in self.plan.by_name:
            require(snapshot(self.run) == before, "the journal gives another run")
        self._resume(asked)
        require(lost or children <= self.open.keys(), "a child was forgotten")

    def _resume(self, asked: dict[str, Command]) -> None:
        """Go on as a driver does: children are found again, calls are lost."""
        self.timers = dict(self.run.timers)
        if not self.run.admitted and self.run.finished is None:
            self.posted.append(Admitted(self.at))
        for call, life in list(self.run.calls.items()):
            if life.step.construct == "chain":
                if life.status == "running":
                    self.open[call] = asked[call]
                    if life.cut or life.failure is not None:
                        self.cancelled_children.add(call)
            elif life.status == "running" and life.step.construct in ("", "stream"):
                self.feed(CallFailed(call, LOST, self.at))

    # -- what must hold ----------------------------------------------------------

    def judge(self) -> None:
        """Of a life that is over."""
        finish = self.run.finished
        assert finish is not None
        require(not self.run.receive(CancelRequested("late", self.at)), "it goes on after its end")
        statuses = {life.step.name: life.status for life in self.run.lives}
        for name, status in statuses.items():
            over = status in ("succeeded", "failed", "skipped", "cancelled", "unknown")
            require(over, f"{name} is {status} at the end")
        require(not self.run.calls, f"{set(self.run.calls)} under way at the end")
        left = [c for c, x in self.open.items() if not isinstance(x, CallTool)]
        require(not left, f"{left} without an answer at the end")
        waits = [c for c in self.timers if c != "?timeout" and self._waits(c)]
        require(not waits, f"the timers of {waits} are left")
        for life in self.run.lives:
            require(not (life.cut and life.status == "failed"), f"{life.place} failed: it was cut")
        for told in (finish.failure, *(life.failure for life in self.run.lives)):
            require("stream has changed" not in str(told), f"{told}, and it has not")
        self._judge_undoing(finish)
        self._judge_stream(finish, statuses)

    def _waits(self, call: str) -> bool:
        return "<" not in call and self.plan.step_of(call).construct in ("wait", "approve")

    def _judge_undoing(self, finish: Finish) -> None:
        places = [place.replace("!undo", "") for place in self.undone]
        if finish.status == "succeeded":
            require(not places, f"{places} undone, and the run succeeded")
            return
        told = ((finish.failure and finish.failure.details) or {}).get("undo", {})
        failed = set(told.get("failed", ()))
        require(set(places) <= set(self.done), f"{places} undone; done was {self.done}")
        left = [place for place in self.done if place not in failed]
        require(places == left[::-1], f"undone {places}, not {left[::-1]}")
        require(told.get("undone", []) == places, f"told {told}, undone was {places}")

    def _judge_stream(self, finish: Finish, statuses: dict[str, str]) -> None:
        if statuses.get("load") != "succeeded":
            return
        if self.fired["Resolved"]:
            return  # a person's word stands for rows that nobody counted
        rows = Counter(row for _, row in self.given.elements())
        want = Counter(range(ITEMS))
        continued = self.plan.by_name["load"].continues
        require(continued or rows == want, f"rows {rows} of the stream succeeded")


def _unread(event: Event) -> Event:
    if isinstance(event, Pulled):
        return Pulled(event.call, event.at, event.count, event.after, event.done)
    return event
