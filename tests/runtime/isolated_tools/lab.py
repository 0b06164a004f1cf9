"""Tools that misbehave, each in its own way, for processes of their own."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from drawloom.sdk import Context, invalid, tool

isolated = tool(isolation="process", effect="pure")
kept: list[bytes] = []


@isolated
def number() -> int:
    """The number of the process."""
    return os.getpid()


@isolated
async def surroundings(context: Context) -> dict[str, Any]:
    """What a call finds around it."""
    context.say("looked round", step=context.step)
    return {"environment": dict(os.environ), "key": context.key, "session": os.getsid(0)}


@isolated
def reading(path: str) -> int:
    """The number of the process, once somebody has written to *path* and closed it."""
    with open(path) as file:
        file.read()
    return os.getpid()


@isolated
def printing() -> str:
    """Print, and read what is typed."""
    print("to nobody")
    return sys.stdin.read()


@isolated
def greedy(size: int) -> int:
    """Take memory, and touch all of it."""
    return len(bytearray(size))


@isolated
def hoarding() -> int:
    """Keep more at every call."""
    kept.append(b"x" * 40_000_000)
    return os.getpid()


@isolated
def endless() -> int:
    """Never end."""
    while True:
        pass


@isolated
def opening(many: int) -> int:
    """Open many files at once."""
    return len([os.open(os.devnull, os.O_RDONLY) for _ in range(many)])


@isolated
def writing(size: int) -> int:
    """Write one large file."""
    with tempfile.TemporaryFile() as file:
        return file.write(bytes(size))


@isolated
def forking(folder: str) -> None:
    """Start another process, in another session, and wait for ever."""
    started = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(f"{folder}/pid", "w") as file:
        file.write(str(started.pid))
    started.wait()


@isolated
def sleeping(folder: str) -> None:
    """Say where it is, and wait for ever, with a process of its own group."""
    started = subprocess.Popen(["sleep", "600"])
    with open(f"{folder}/pids.part", "w") as file:
        file.write(f"{os.getpid()} {started.pid}")
    os.rename(f"{folder}/pids.part", f"{folder}/pids")
    time.sleep(600)


@tool(isolation="process", effect="once")
def dying(by: int) -> None:
    """Be killed by a signal."""
    os.kill(os.getpid(), by)
    signal.pause()


@isolated
def leaving(status: int) -> None:
    """End the process."""
    os._exit(status)


@isolated
def orphaning(folder: str) -> None:
    """Start another process, and end without it."""
    started = subprocess.Popen(["sleep", "600"])
    with open(f"{folder}/pid", "w") as file:
        file.write(str(started.pid))
    os._exit(4)


@isolated
def abandoning() -> list[int]:
    """Answer, and leave a process running: both numbers."""
    return [os.getpid(), subprocess.Popen(["sleep", "600"], start_new_session=True).pid]


@isolated
def deserting(folder: str) -> None:
    """Start another process in another session, and end without it."""
    started = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(f"{folder}/pid", "w") as file:
        file.write(str(started.pid))
    os._exit(4)


@isolated
def delegating(seconds: float) -> None:
    """Have another process take that much CPU time."""
    code = f"import time\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


@isolated
def borrowing(size: int) -> None:
    """Have another process take memory."""
    code = f"len(bytearray(b'x') * {size})"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


@isolated
def sharing(size: int) -> None:
    """Take memory that could be shared, which no limit of a process counts."""
    memory = mmap.mmap(-1, size)
    for start in range(0, size, mmap.PAGESIZE):
        memory[start] = 1


@isolated
def multiplying(many: int) -> None:
    """Start many processes at once."""
    for _ in range(many):
        if os.fork() == 0:
            signal.pause()


@isolated
def refusing() -> None:
    """Refuse what it was given."""
    raise invalid("no such colour", colour="grue")


@isolated
def breaking() -> None:
    """Have a bug."""
    raise ZeroDivisionError("by nothing")


@isolated
def lying() -> int:
    """Give what it must not."""
    return "text"  # type: ignore[return-value]
