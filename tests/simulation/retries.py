"""What has to follow a failed call, worked out again from the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.places import Place

from drawloom.errors import FailureKind
from drawloom.kernel import CallFailed

if TYPE_CHECKING:
    from tests.simulation.history import History

RETRIED = {"throttled", "transient", "timeout", "lost"}  # unless the document says otherwise
UNCERTAIN = {"timeout", "lost", "transient"}
LOSSES = 3


def after_failure(oracle: History, place: Place, event: CallFailed) -> bool:
    """Note a failed call, and what the kernel owes its place. Always True: it was current."""
    failure, draft = event.failure, oracle.drafts[place.step]
    lost = failure.kind is FailureKind.LOST
    place.losses += lost
    if draft.effect == "once" and failure.kind in UNCERTAIN and not failure.harmless:
        stopped = oracle.stopped and not oracle.cleanup[place.step]
        place.state = "lost" if stopped else "unknown"
        return True
    if oracle.halting(place):
        return oracle.fail(place)
    if lost:
        if place.losses > LOSSES:
            return oracle.fail(place)
        place.state, place.expect = "idle", "call"
        return True
    return _rest(oracle, place, event, draft.document.get("retry", {}))


def _rest(oracle: History, place: Place, event: CallFailed, retry: dict[str, Any]) -> bool:
    tried = place.calls - place.losses
    if event.failure.kind not in retry.get("on", RETRIED) or tried >= retry.get("attempts", 3):
        return oracle.fail(place)
    grown = retry.get("delay", 1.0) * retry.get("factor", 2.0) ** (tried - 1)
    longest = min(grown, retry.get("max_delay", 60.0))
    asked = event.failure.retry_after or 0.0
    low = max(longest * (1 - retry.get("jitter", 0.5)), asked)
    high = max(longest, asked)
    budget, elapsed = retry.get("budget"), (event.at - place.began) / 1e6
    if budget is not None and elapsed + low > budget:
        return oracle.fail(place)
    place.expect = "rest" if budget is None or elapsed + high <= budget else "rest or fail"
    place.rest = (event.at + low * 1e6 - 1, event.at + high * 1e6 + 1)
    return True
