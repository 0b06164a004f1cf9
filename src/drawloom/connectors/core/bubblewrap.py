"""A sandbox for author's code, by bubblewrap: no network, no files, no environment.

The code sees a read-only Python, an empty /tmp and its own processes. The limits
of the process that starts it hold inside, too, for they are inherited
(setrlimit(2)); the code runs in a process that can never get a right more.
"""

from __future__ import annotations

import json
import os
import resource
import select
import selectors
import shutil
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from drawloom.connectors.core.ended import (
    LARGEST_PRINT,
    LARGEST_RESULT,
    Ended,
    cpu_left,
    too_much,
)

MOST_FILES = 1 << 30  # bytes
_PATHS = "/usr/local/bin:/usr/bin:/bin"

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


def lacking() -> str:
    """Why it cannot be had here; nothing where it can. A container may forbid namespaces."""
    if not _program():
        return "bubblewrap is not installed"
    said = run("output = 1", {}).printed  # it begins so where it speaks, and not the code
    return f"bubblewrap does not work here ({said.strip()[:200]})" if said[:6] == "bwrap:" else ""


def _program() -> str:
    return shutil.which("bwrap", path=_PATHS) or ""


def command(sink: int, told: int, cpu: int) -> list[str]:
    """The sandbox's command; bubblewrap writes on *told* which process it started."""
    python = os.path.realpath(sys.executable)
    fixed = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    fixed += ["--info-fd", str(told)]
    made = [_program(), *fixed, "--clearenv", "--ro-bind", "/usr", "/usr"]
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
                command(sink, tells, cpu_left()),
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
                    raise too_much(limits[key.fd])
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
