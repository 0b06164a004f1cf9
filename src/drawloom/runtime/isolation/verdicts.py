"""Why a call in a process of its own ended without an answer, as a failure."""

from __future__ import annotations

import signal
from typing import Any, NamedTuple

from drawloom.errors import Failure, FailureKind
from drawloom.policies import Resources

_OF_ITS_OWN = {
    signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS,
    signal.SIGTRAP,
}  # fmt: skip
_LIMIT_SIGNALS = {signal.SIGXCPU: "cpu", signal.SIGXFSZ: "disk"}


class Excess(NamedTuple):
    """The limit that a call is over, and what it had *used* where that was seen."""

    limit: str
    used: float | None = None


def over_limit(tool: str, excess: Excess, limits: Resources) -> Failure:
    """The call took more than it may: to repeat it cannot help, so it is `invalid`."""
    limit, used = excess
    allowed: Any = getattr(limits, limit)
    by_then = "" if used is None else f" (it had used {used:g})"
    message = (
        f"{tool} needs more than its limit of {_measure(limit, allowed)}{by_then}; give the step "
        f"more with `resources: {{{limit}: …}}`, or have it do less at a time"
    )
    details = {"limit": limit, "allowed": allowed}
    if used is not None:
        details["used"] = used
    return Failure(FailureKind.INVALID, message, None, details)


def too_much(tool: str, size: int, most: int) -> Failure:
    """The answer has more bytes than an engine takes."""
    message = (
        f"{tool} gave {size} bytes, more than the {most} that a process may hand over; "
        "write large results to a file, and give its name"
    )
    return Failure(FailureKind.INVALID, message, None, {"limit": "output", "allowed": most})


def ended(tool: str, status: int, limits: Resources, ended_for: Excess | None) -> Failure:
    """What the end of the process means; *status* is negative where a signal ended it."""
    if ended_for:
        return over_limit(tool, ended_for, limits)
    if status >= 0:
        message = f"{tool} ended its process with exit status {status}, and gave no output"
        return Failure(FailureKind.DEFECT, message, None, {"exit_status": status})
    name = _name(-status)
    if -status in _LIMIT_SIGNALS:
        return over_limit(tool, Excess(_LIMIT_SIGNALS[signal.Signals(-status)]), limits)
    if -status in _OF_ITS_OWN:
        message = (
            f"{tool} crashed its process ({name}); a library without memory does so, too: "
            f"its limit is {_measure('memory', limits.memory)}"
        )
        return Failure(FailureKind.DEFECT, message, None, {"signal": name})
    message = (
        f"the process of {tool} was killed from outside ({name}), by a person, or by the system "
        "for want of memory"
    )
    return Failure(FailureKind.LOST, message, None, {"signal": name})


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _measure(limit: str, allowed: Any) -> str:
    match limit:
        case "memory":
            return f"{allowed // 1_000_000} MB of memory"
        case "disk":
            return f"{allowed // 1_000_000} MB in a file"
        case "cpu":
            return f"{allowed:g} s of CPU time"
        case "files":
            return f"{allowed} open files"
        case _:
            return f"{allowed} process" + ("es" if allowed != 1 else "")
