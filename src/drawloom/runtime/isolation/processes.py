"""Start a process with nothing of ours, speak with it, and end it with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drawloom.runtime.isolation import frames
from drawloom.runtime.isolation.usage import census, family

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Child:
    """A process of ours. `line` is the pipe whose end is the end of its whole group."""

    process: Process
    line: int
    ended_for: str = ""  # the limit for which we ended it

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    async def wait(self) -> int:
        """Its exit status, negative where a signal ended it."""
        return await self.process.wait()

    async def send(self, message: bytes) -> None:
        """Hand a message over. Raises `ConnectionError` where the process has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(frames.packed(message))
        await self.process.stdin.drain()

    async def receive(self) -> bytes:
        """The next message; see `frames.receive`."""
        assert self.process.stdout is not None
        return await frames.receive(self.process.stdout)

    def kill(self) -> None:
        """End it, its group, and whatever it started outside of its group."""
        if self.returncode is None:
            for each in family(self.pid, census()):
                _signal(os.kill, each.pid)
            _signal(os.killpg, self.pid)

    def _end_group(self) -> None:
        """End what a buried process has left in its group.

        As long as there is something, its number is not given to another process: one
        that has it is another's, and then there is nothing left of ours.
        """
        if not os.path.exists(f"/proc/{self.pid}"):
            _signal(os.killpg, self.pid)

    async def aclose(self) -> None:
        """Kill it, wait until it is gone, and close its pipes."""
        self.kill()
        if self.line >= 0:
            os.close(self.line)  # ends what is left of a group whose first process is gone
            self.line = -1
        await self.process.wait()
        self._end_group()
        if self.process.stdin is not None:
            self.process.stdin.close()
        transport = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()


def _signal(send: object, pid: int) -> None:
    try:
        send(pid, signal.SIGKILL)  # type: ignore[operator]
    except (ProcessLookupError, PermissionError):
        pass  # it is gone, or its number is another's by now


async def started(
    module: str, *, speaks: bool = False, environment: Mapping[str, str] = _EMPTY
) -> Child:
    """A process that runs *module* of ours in its own session, with no *environment* but this.

    What it prints is dropped, unless it *speaks*: then it goes to our errors.
    """
    theirs, ours = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            module,
            str(theirs),
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if speaks else DEVNULL,
            env=environment,
            pass_fds=(theirs,),
            start_new_session=True,
            limit=1 << 20,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return Child(process, ours)
