"""A sandbox for author's code, by bubblewrap: no network, no files, no environment.

The code sees a read-only Python, an empty /tmp and its own processes. The limits
of the process that starts it hold inside, too, for they are inherited
(setrlimit(2)); the code runs in a process that can never get a right more.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import select
import selectors
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from drawloom.errors import Failure, FailureKind, ToolError, invalid

LARGEST_RESULT = 64 << 20  # bytes
LARGEST_PRINT = 1 << 20  # bytes
MOST_FILES = 1 << 30  # bytes
_PATHS = "/usr/local/bin:/usr/bin:/bin"
# What the code ran into, and the error that stands for that limit outside.
_LIMITED = {errno.EMFILE: errno.EMFILE, errno.EFBIG: errno.EFBIG, errno.ENOSPC: errno.EFBIG}

# Runs inside. It says what came of the code on the descriptor it is told, as JSON.
_RUNNER = """
import json, os, resource, sys
sink, cpu = os.fdopen(int(sys.argv[1]), "w"), int(sys.argv[2])
if cpu > 0:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
request = json.load(sys.stdin)
scope = {"__name__": "__main__", "input": request["input"]}
try:
    exec(compile(request["code"], "<code>", "exec"), scope)
    told = {"output": scope["output"]} if "output" in scope else {"missing": True}
    text = json.dumps(told, allow_nan=False)
except BaseException as exc:
    line, trace = None, exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<code>":
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(exc, SyntaxError):
        line = exc.lineno
    text = json.dumps({"error": type(exc).__name__, "message": str(exc)[:2000], "line": line,
                       "errno": getattr(exc, "errno", None)})
sys.stdout.flush()
sink.write(text)
sink.close()
"""


class Ended(NamedTuple):
    """How the code ended: its exit status, what it told, and what it printed."""

    status: int
    told: bytes
    printed: str


def command(sink: int, told: int, cpu: int) -> list[str]:
    """The sandbox's command; bubblewrap writes on *told* which process it started.

    Raises `ToolError` where there is no bubblewrap.
    """
    found = shutil.which("bwrap", path=_PATHS)
    if found is None:
        raise ToolError(
            Failure(
                FailureKind.DENIED,
                "code steps need a sandbox, and bubblewrap is not installed here: install the "
                "package `bubblewrap` (the program bwrap)",
                harmless=True,
            )
        )
    python = os.path.realpath(sys.executable)
    fixed = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    fixed += ["--info-fd", str(told)]
    made = [found, *fixed, "--clearenv", "--ro-bind", "/usr", "/usr"]
    for top in ("/lib", "/lib64", "/bin"):
        if os.path.islink(top):
            made += ["--symlink", os.readlink(top), top]
        else:
            made += ["--ro-bind-try", top, top]
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        made += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    # What is written to a tmpfs is memory that belongs to no process: it needs a size of its own.
    made += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    made += ["--size", str(_room()), "--tmpfs", "/tmp", "--chdir", "/tmp"]
    return [*made, "--remount-ro", "/", python, "-I", "-S", "-c", _RUNNER, str(sink), str(cpu)]


def run(code: str, given: dict[str, Any]) -> Ended:
    """Run *code* in a sandbox of its own. Raises `ToolError` where it says too much."""
    with ExitStack() as stack:
        request = stack.enter_context(os.fdopen(os.memfd_create("request"), "w+b"))
        request.write(json.dumps({"code": code, "input": given}).encode())
        request.seek(0)
        source, sink = _pipe(stack)
        whom, tells = _pipe(stack)
        try:
            process = subprocess.Popen(
                command(sink, tells, _cpu_left()),
                stdin=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={},
                pass_fds=(sink, tells),
            )
        finally:
            os.close(sink)
            os.close(tells)
        stack.callback(_buried, process, whom)
        assert process.stdout is not None
        printed = stack.enter_context(process.stdout)
        lines = printed.fileno()
        said = _collected({source: LARGEST_RESULT, lines: LARGEST_PRINT})
        return Ended(process.wait(), said[source], said[lines].decode(errors="replace"))


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """Where to read, closed with *stack*, and where to write."""
    source, sink = os.pipe()
    stack.callback(os.close, source)
    return source, sink


def _room() -> int:
    """The bytes that all files together may have: as many as one may, and at most 1 GiB."""
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)


def _cpu_left() -> int:
    """The seconds of CPU time that this process may still use; 0 where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CPU)
    return 0 if soft == resource.RLIM_INFINITY else max(1, int(soft - time.process_time()))


def _collected(limits: dict[int, int]) -> dict[int, bytes]:
    """All that comes from each descriptor, none of it more than its limit."""
    said = {number: bytearray() for number in limits}
    with selectors.DefaultSelector() as waiting:
        for number in limits:
            waiting.register(number, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                part = os.read(key.fd, 1 << 16)
                said[key.fd] += part
                if not part:
                    waiting.unregister(key.fd)
                elif len(said[key.fd]) > limits[key.fd]:
                    raise invalid(
                        f"the code gave or printed more than {limits[key.fd]} bytes; "
                        "give what the next steps need, and no more",
                        limit="output",
                        allowed=limits[key.fd],
                    )
    return {number: bytes(text) for number, text in said.items()}


def _buried(process: subprocess.Popen[bytes], whom: int) -> None:
    """End the sandbox, and wait until all in it are gone: the next call is not to pay for them.

    bubblewrap itself ends before them. The last to go is the first process inside
    (pid_namespaces(7)); its number comes from *whom* (bwrap(1), `--info-fd`).
    """
    if process.poll() is None:
        process.kill()
    process.wait()
    if not (told := os.read(whom, 1 << 16)):
        return  # it never came to that
    first = json.loads(told)["child-pid"]
    with suppress(ProcessLookupError):
        going = os.pidfd_open(first)
        try:
            select.select([going], [], [])
        finally:
            os.close(going)
    with suppress(ChildProcessError):
        os.waitpid(first, 0)  # who takes in orphans has to bury them


def outcome(ended: Ended) -> Any:
    """What the code assigned to `output`. Raises what its end means."""
    if not ended.told:
        raise _failed(ended)
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
    where = f" (line {told['line']})" if told.get("line") else ""
    message = f"the code raised {told.get('error')}{where}: {told.get('message')}"
    details = {"exception": told.get("error"), "line": told.get("line")}
    raise ToolError(Failure(FailureKind.DEFECT, message, None, details))


def _failed(ended: Ended) -> ToolError:
    number = ended.status - 128 if ended.status > 128 else -ended.status
    if number in (signal.SIGXCPU, signal.SIGKILL) and _cpu_left():
        return invalid("the code needs more than its limit of CPU time", limit="cpu")
    last = ended.printed.strip().rpartition("\n")[2][:500]
    message = f"the code's process ended with status {ended.status}, and gave nothing: {last}"
    return ToolError(Failure(FailureKind.DEFECT, message, None, {"exit_status": ended.status}))


def works() -> str:
    """Why no sandbox can be had here; nothing where one can."""
    try:
        return "" if outcome(run("output = 1", {})) == 1 else "it gives wrong answers"
    except (ToolError, OSError) as exc:
        return str(exc)
