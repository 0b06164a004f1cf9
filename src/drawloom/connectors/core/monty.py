"""A sandbox for author's code, by Monty: an interpreter that has no way out.

It knows a part of Python, and no file, network, environment or process: what
its program does not hold, the code cannot reach. Each call has a program of its
own, which inherits the limits (setrlimit(2)) of the process that starts it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawloom.connectors.core.ended import (
    LARGEST_PRINT,
    LARGEST_RESULT,
    Ended,
    cpu_left,
    too_much,
)

if TYPE_CHECKING:
    from pydantic_monty import Frame, MontyError, MontySession, ResourceLimits

_DEEPEST = 1_000  # calls in calls, as in Python
_PATIENCE = 10  # seconds by the clock for each one of CPU time
_LEAST = 1 << 20  # bytes; Monty refuses to begin with none
_OUTPUT = "import json\njson.dumps(output, allow_nan=False)"
_PARTLY = ("NotImplementedError", "ModuleNotFoundError")
_HINT = "; the sandbox here is Monty, which knows a part of Python: bubblewrap runs all of it"


def installed() -> bool:
    """Whether it can be had; nothing of it is imported."""
    return find_spec("pydantic_monty") is not None


def _program() -> Path | None:
    """Its program beside it, as `pip install --target` puts it; None: where it looks itself."""
    import pydantic_monty

    beside = Path(str(pydantic_monty.__file__)).parents[1] / "bin" / "monty"
    return beside if beside.is_file() else None


def run(code: str, given: dict[str, Any]) -> Ended:
    """Run *code* in a sandbox of its own. Raises `ToolError` where it says too much."""
    from pydantic_monty import Monty, MontyError

    printed = _Printed()
    try:
        with (
            _quiet(),
            Monty(binary_path=_program(), max_processes=1) as pool,
            pool.checkout(script_name="<code>", limits=_limits()) as session,
        ):
            told = _told(session, code, given, printed)
    except MontyError as exc:
        told = _error(exc)
    if printed.full:
        raise too_much(LARGEST_PRINT)
    if len(told) > LARGEST_RESULT:
        raise too_much(LARGEST_RESULT)
    return Ended(0 if told else -signal.SIGXCPU, told, printed.text())


def _told(session: MontySession, code: str, given: dict[str, Any], printed: _Printed) -> bytes:
    """What came of it. Its JSON is made inside, where the limits hold."""
    from pydantic_monty import MontyRuntimeError

    session.feed_run(code, inputs={"input": given}, print_callback=printed)
    try:
        session.feed_run("output")
    except MontyRuntimeError as exc:
        if isinstance(exc.exception(), NameError):
            return b'{"missing": true}'
        raise
    return b'{"output": %s}' % session.feed_run(_OUTPUT).encode()


def _limits() -> ResourceLimits:
    """Monty's own limits, under those of this process.

    Its time is the clock's: where the machine is busy a call may need much more of that
    than of CPU time, so that it is the last net and not the limit.
    """
    limits: ResourceLimits = {"max_recursion_depth": _DEEPEST}
    memory, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if memory != resource.RLIM_INFINITY:
        limits["max_memory"] = max(_LEAST, memory - _held())
    if seconds := cpu_left():
        limits["max_feed_duration_secs"] = float(_PATIENCE * seconds)
    return limits


def _held() -> int:
    """The bytes of memory that this process holds itself (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Printed:
    """Takes what is printed, and ends the program that prints too much.

    Monty goes on printing when its reader has refused to listen.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self.full = False

    def __call__(self, stream: str, text: str) -> None:
        self._size += len(text.encode())
        if self._size <= LARGEST_PRINT:
            self._parts.append(text)
        elif not self.full:
            self.full = True
            for pid in _started():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def text(self) -> str:
        return "".join(self._parts)


def _started() -> list[int]:
    """What this process has started, whichever thread did (proc(5))."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for each in tasks for pid in each.read_text().split()]


@contextmanager
def _quiet() -> Iterator[None]:
    """Give what is started here no way to the engine's errors: it writes to them when it dies."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _error(exc: MontyError) -> bytes:
    """What the code told by failing; nothing where its CPU time had run out."""
    inner = exc.exception()
    name = type(inner).__name__
    frames: list[Frame] = getattr(exc, "traceback", list)()
    if (name == "TimeoutError" and not frames) or "SIGXCPU" in str(inner):
        return b""
    message = str(inner)[:2000] + (_HINT if name in _PARTLY else "")
    line = frames[-1].line if frames else None
    return json.dumps({"error": name, "message": message, "line": line}).encode()
