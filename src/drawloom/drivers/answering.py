"""Signals and approvals from outside, checked alike for every driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.dataflow.validation import apply_defaults, validator_for
from drawloom.dataflow.values import encode_value
from drawloom.errors import Overloaded, ValueInvalid
from drawloom.kernel import Run
from drawloom.kernel.constructs import check_payload
from drawloom.kernel.life import Life
from drawloom.kernel.messages import Approved, SignalReceived
from drawloom.kernel.run import MOST_SIGNALS


def signalled(run: Run, name: str, payload: Any, at: int) -> SignalReceived:
    """The event of a signal at the instant *at* (microseconds).

    Raises `ValueInvalid` where no step of the chain waits for such a signal, or
    *payload* does not fit the step that does, and `Overloaded` where too many of
    them are kept already.
    """
    known = run.plan.waits_for
    if known is not None and name not in known:
        more = f"it waits for {', '.join(sorted(known))}" if known else "it waits for none"
        raise ValueInvalid(f"the chain of run {run.run_id} has no signal {name!r}; {more}")
    payload = encode_value(payload)
    for life in run.waits.values():
        if life.step.construct == "wait" and life.args["signal"] == name:
            check_payload(life.args, payload)
            break
    if len(run.signals.get(name, ())) >= MOST_SIGNALS:
        raise Overloaded(f"run {run.run_id} keeps {MOST_SIGNALS} signals {name!r} already")
    return SignalReceived(name, payload, at)


def approved(
    run: Run,
    step: str,
    by: str,
    approve: bool,
    at: int,
    answers: Mapping[str, Any] | None = None,
    comment: str = "",
) -> Approved:
    """The event of a person's word. *step* is a step (or item, `ask[3]`), or the call itself.

    Raises `ValueInvalid` where nobody is asked there, *by* is not among those who
    are or has said yes already, or *answers* do not fit the form.
    """
    life = _asked(run, step)
    approvers = life.args.get("approvers")
    if not by or (approvers is not None and by not in approvers):
        who = "anybody who says who they are" if approvers is None else ", ".join(approvers)
        raise ValueInvalid(f"{by!r} was not asked by step {life.place!r}; it asks {who}")
    if life.votes and by in life.votes:
        raise ValueInvalid(f"{by!r} has approved step {life.place!r} already")
    filled = _filled(life.args.get("form") or {}, dict(answers or {})) if approve else {}
    return Approved(life.call, by, approve, at, filled, comment)


def _asked(run: Run, step: str) -> Life:
    asking = [life for life in run.waits.values() if life.step.construct == "approve"]
    found = [life for life in asking if step in (life.call, life.place)]
    if not found:
        known = ", ".join(life.place for life in asking) or "for no approval"
        raise ValueInvalid(f"run {run.run_id} does not wait at {step!r}; it waits {known}")
    return found[0]


def _filled(form: Mapping[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """The answers with the defaults of the form, checked by it."""
    schema = {
        "type": "object",
        "properties": dict(form),
        "required": [name for name, field in form.items() if "default" not in field],
        "additionalProperties": False,
    }
    filled = encode_value(apply_defaults(schema, answers))
    validator_for(schema).check(filled, where="answers")
    return dict(filled)
