"""How the code of a step ended in its sandbox, and what that means for the step."""

from __future__ import annotations

import errno
import json
import resource
import signal
import time
from typing import Any, NamedTuple

from drawloom.errors import Failure, FailureKind, ToolError, invalid

LARGEST_RESULT = 64 << 20  # bytes
LARGEST_PRINT = 1 << 20  # bytes
# What the code ran into, and the error that stands for that limit outside.
_LIMITED = {errno.EMFILE: errno.EMFILE, errno.EFBIG: errno.EFBIG, errno.ENOSPC: errno.EFBIG}


class Ended(NamedTuple):
    """How the code ended: the exit status, what it told as JSON, and what it printed.

    It tells `{"output": …}`, `{"missing": true}` where it assigned nothing, or
    `{"error": type, "message": text, "line": number or null, "errno": number or null}`;
    nothing at all where its process did not come to that.
    """

    status: int
    told: bytes
    printed: str


def too_much(most: int) -> ToolError:
    """The code gave or printed more than *most* bytes."""
    return invalid(
        f"the code gave or printed more than {most} bytes; "
        "give what the next steps need, and no more",
        limit="output",
        allowed=most,
    )


def cpu_left() -> int:
    """The seconds of CPU time that this process may still use; 0 where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CPU)
    return 0 if soft == resource.RLIM_INFINITY else max(1, int(soft - time.process_time()))


def output_of(ended: Ended) -> Any:
    """What the code assigned to `output`. Raises what its end means."""
    if not ended.told:
        raise _without_answer(ended)
    try:
        told = json.loads(ended.told)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise invalid("the code wrote to the channel of its result, which is not its to use")
    if "output" in told:
        return told["output"]
    if told.get("missing"):
        raise invalid("the code assigned nothing to `output`; end it with `output = …`")
    if told.get("error") == "MemoryError":
        raise MemoryError
    if told.get("errno") in _LIMITED:
        raise OSError(_LIMITED[told["errno"]], str(told.get("message")))
    raise _raised(told)


def _without_answer(ended: Ended) -> ToolError:
    number = ended.status - 128 if ended.status > 128 else -ended.status
    if number in (signal.SIGXCPU, signal.SIGKILL) and cpu_left():
        return invalid("the code needs more than its limit of CPU time", limit="cpu")
    last = ended.printed.strip().rpartition("\n")[2][:500]
    message = f"the code's process ended with status {ended.status}, and gave nothing: {last}"
    return ToolError(Failure(FailureKind.DEFECT, message, None, {"exit_status": ended.status}))


def _raised(told: dict[str, Any]) -> ToolError:
    where = f" (line {told['line']})" if told.get("line") else ""
    message = f"the code raised {told.get('error')}{where}: {told.get('message')}"
    details = {"exception": told.get("error"), "line": told.get("line")}
    return ToolError(Failure(FailureKind.DEFECT, message, None, details))
