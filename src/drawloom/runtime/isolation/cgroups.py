"""Control groups (cgroup v2) for processes of ours, where some are ours to make.

    HOME                    delegated to us, or named in the settings; no process sits in it
      drawloom-PID-TOKEN    one of an engine, which holds a lock on it while it lives
        1, 2, …             one of each process, with the limits of its calls

Nothing is changed but what lies below HOME, and its list of controllers. The files
are those of the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import select
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from drawloom.policies import Resources

_DELEGATED = ("user.delegate", "trusted.delegate")  # attributes that systemd sets
_WANTED = ("memory", "pids")
_THREADS = 64  # that the processes of a call may have beside their first ones
_PREFIX = "drawloom-"
_WITHIN = 5_000  # milliseconds in which what was killed is gone


class CgroupsUnusable(Exception):
    """Why no control groups are used here."""


class Group:
    """The control group of one process, and of all that it starts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def door(self) -> Path:
        """Where a process enters, by writing 0."""
        return self._path / "cgroup.procs"

    def limit(self, limits: Resources, processes: int) -> None:
        """Set what the kernel keeps: memory, without swap, and *processes* (with threads).

        Beyond its memory all of it is ended, not any one of its processes.
        """
        wanted = {
            "memory.max": limits.memory,
            "memory.swap.max": 0,
            "memory.oom.group": 1,
            "pids.max": processes + _THREADS,
        }
        for name, value in wanted.items():
            if (file := self._path / name).exists():
                file.write_text(str(value))

    def members(self) -> list[int]:
        """The processes in it."""
        return [int(pid) for pid in self._read("cgroup.procs").split()]

    def cpu_time(self) -> int:
        """CPU time of all that are or were in it, in nanoseconds."""
        return self._counted("cpu.stat", "usage_usec") * 1000

    def peak_memory(self) -> int:
        """The most memory that it ever held in bytes, cached files included; 0: not known."""
        return int(self._read("memory.peak") or 0)

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has ended something in it for want of memory."""
        return self._counted("memory.events", "oom_kill") > 0

    def kill(self) -> None:
        """End all that are in it, whatever session they are in."""
        with suppress(OSError):
            (self._path / "cgroup.kill").write_text("1")

    def wait_until_empty(self) -> None:
        """Wait until none are left in it, a few seconds at most. It blocks."""
        with suppress(OSError), (self._path / "cgroup.events").open() as events:
            changes = select.poll()
            changes.register(events, select.POLLPRI)
            while "populated 1" in events.read() and changes.poll(_WITHIN):
                events.seek(0)

    def remove(self) -> None:
        """Remove it, and those in it, once it is empty; a later engine sweeps what must stay."""
        for path, _, _ in os.walk(self._path, topdown=False):
            with suppress(OSError):
                os.rmdir(path)

    def _counted(self, file: str, name: str) -> int:
        for line in self._read(file).splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
        return 0

    def _read(self, file: str) -> str:
        try:
            return (self._path / file).read_text()
        except OSError:
            return ""


class Nest:
    """The control group of one engine, in which each of its processes gets its own."""

    def __init__(self, named: str | None = None) -> None:
        """Make it in *named*, or else in what is delegated. Raises `CgroupsUnusable`."""
        self.home = home(named)
        try:
            self.controllers = _enabled(self.home)
            _sweep(self.home)
            self._path, self._lock = _locked(self.home)
            _enabled(self._path)
        except OSError as exc:
            raise CgroupsUnusable(f"{self.home}: {exc.strerror}") from None
        self._made = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """The controllers that it would use, and that are not handed down to it."""
        return tuple(name for name in _WANTED if name not in self.controllers)

    def group(self) -> Group:
        """A new one. Raises `OSError`."""
        self._made += 1
        path = self._path / str(self._made)
        path.mkdir()
        return Group(path)

    def close(self) -> None:
        """End what is in it, and remove it. It blocks until that is gone."""
        _removed(self._path)
        os.close(self._lock)


def home(named: str | None) -> Path:
    """The group in which ours are made. Raises `CgroupsUnusable`.

    That is *named*, or the nearest one above this process that its manager has marked as
    delegated. No other is touched: whoever made it manages what is in it.
    """
    if named is not None:
        if not (Path(named) / "cgroup.procs").exists():
            raise CgroupsUnusable(f"{named} is no control group of version 2")
        return Path(named)
    for path in _above():
        if _is_delegated(path):
            return path
    raise CgroupsUnusable(
        "none is delegated to this process; name one of yours as `cgroup` of [isolation], or run "
        "it as a service with Delegate=yes and DelegateSubgroup=engine"
    )


def _above() -> Iterator[Path]:
    """The group of this process and those above it, up to the root of what it sees."""
    root = _mounted()
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line[3:] for line in lines if line.startswith("0::")), "")
    path = root / own.strip("/")
    while path != root and path.is_relative_to(root):
        yield path
        path = path.parent
    yield root


def _mounted() -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        about, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(about.split()[4])
    raise CgroupsUnusable("no cgroup2 file system is mounted here")


def _is_delegated(path: Path) -> bool:
    for name in _DELEGATED:
        with suppress(OSError):
            if os.getxattr(path, name) == b"1":
                return True
    return False


def _enabled(place: Path) -> tuple[str, ...]:
    """The controllers that hold in groups below *place*, after they have been turned on.

    The kernel refuses it where processes sit in *place* itself (no internal processes).
    """
    there = (place / "cgroup.controllers").read_text().split()
    wanted = [name for name in _WANTED if name in there]
    with suppress(OSError):
        if wanted:
            on = " ".join(f"+{name}" for name in wanted)
            (place / "cgroup.subtree_control").write_text(on)
    given = (place / "cgroup.subtree_control").read_text().split()
    return tuple(name for name in wanted if name in given)


def _locked(place: Path) -> tuple[Path, int]:
    """A new group in *place*, and the lock that says that its engine lives."""
    while True:
        path = place / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        path.mkdir()
        lock = _try_lock(path)
        if lock is not None and path.exists():
            return path, lock
        if lock is not None:  # somebody has swept it before it was locked
            os.close(lock)


def _try_lock(path: Path) -> int | None:
    """A lock on *path*; None where another has it, or it is gone."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _sweep(place: Path) -> None:
    """End and remove what engines that are gone have left."""
    for path in place.glob(f"{_PREFIX}*"):
        if (lock := _try_lock(path)) is not None:
            _removed(path)
            os.close(lock)


def _removed(path: Path) -> None:
    nest = Group(path)
    nest.kill()
    nest.wait_until_empty()
    nest.remove()
