"""Start a process with nothing of ours, speak with it, and end it with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from drawloom.runtime.isolation import frames
from drawloom.runtime.isolation.cgroups import Group
from drawloom.runtime.isolation.search_path import search_path
from drawloom.runtime.isolation.usage import Seen, census, family, seen

_EMPTY: Mapping[str, str] = MappingProxyType({})
_WITHIN = 5.0  # seconds in which what was killed is gone
# Enters its control group before anything else, so that all that it takes is counted there.
_START = """
import sys
_, module, line, door, *sys.path = sys.argv
if door:
    with open(door, "w") as file:
        file.write("0")
from importlib import import_module
sys.argv = [module, line]
import_module(module).main()
"""


@dataclass(slots=True, eq=False)
class Child:
    """A process of ours. `line` is the pipe whose end is the end of its whole group."""

    process: Process
    line: int
    group: Group | None = None
    _going: list[int] = field(default_factory=list)  # pidfds of what we have killed

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

    def members(self) -> list[Seen]:
        """It, and what it started, as far as that is there. With a control group it is exact."""
        if self.group is None:
            return family(self.pid, census())
        return [each for pid in self.group.members() if (each := seen(pid)) is not None]

    def kill(self) -> None:
        """End it, its group, and whatever it started outside of its group."""
        if self.group is not None:
            self.group.kill()
        if self.returncode is None:
            self._end(self.members())
            _signal(os.killpg, self.pid)

    def _end(self, members: Iterable[Seen]) -> None:
        for each in members:
            try:
                going = os.pidfd_open(each.pid)
            except ProcessLookupError:
                continue
            except OSError:  # too many descriptors: it is ended, and not waited for
                _signal(os.kill, each.pid)
                continue
            self._going.append(going)
            now = seen(each.pid, dead=True)
            if now is not None and now.began == each.began:  # else the number is another's by now
                signal.pidfd_send_signal(going, signal.SIGKILL)

    def _end_group(self) -> None:
        """End what a buried process has left in its group.

        As long as there is something, its number is not given to another process: one
        that has it is another's, and then there is nothing left of ours.
        """
        if not os.path.exists(f"/proc/{self.pid}"):
            self._end(each for each in census() if each.session == self.pid)
            _signal(os.killpg, self.pid)

    async def aclose(self) -> None:
        """Kill it with its family, wait until all of them are gone, and close its pipes."""
        self.kill()
        if self.line >= 0:
            os.close(self.line)  # ends what is left of a group whose first process is gone
            self.line = -1
        await self.process.wait()
        self._end_group()
        await self._gone()
        if self.process.stdin is not None:
            self.process.stdin.close()
        transport = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()

    async def _gone(self) -> None:
        while self._going:
            going = self._going.pop()
            try:
                await _ended(going)
            finally:
                os.close(going)
        if self.group is not None:
            await asyncio.to_thread(self.group.wait_until_empty)
            self.group.remove()


async def _ended(going: int) -> None:
    """Wait until the process of a pidfd has ended, but for one that the kernel does not let go."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(going, ended.set)
    try:
        async with asyncio.timeout(_WITHIN):
            await ended.wait()
    except TimeoutError:
        pass  # it sleeps in a driver: it ends when that lets it
    finally:
        loop.remove_reader(going)


def _signal(send: object, pid: int) -> None:
    try:
        send(pid, signal.SIGKILL)  # type: ignore[operator]
    except (ProcessLookupError, PermissionError):
        pass  # it is gone, or its number is another's by now


async def started(
    module: str,
    *,
    speaks: bool = False,
    environment: Mapping[str, str] = _EMPTY,
    group: Group | None = None,
) -> Child:
    """A process that runs *module* of ours in its own session, with no *environment* but this.

    What it prints is dropped, unless it *speaks*: then it goes to our errors.
    """
    theirs, ours = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _START,
            module,
            str(theirs),
            "" if group is None else str(group.door),
            *search_path(),
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
    return Child(process, ours, group)
