"""What a process used: measured from inside for a call, from outside for a whole tree."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drawloom.errors import Overloaded

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # nanoseconds
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Seen:
    """One process, as /proc/PID/stat (proc(5)) shows it.

    `resident` is in bytes; `cpu` in nanoseconds, with that of the children that it has
    buried; `began` in ticks since the machine did.
    """

    pid: int
    parent: int
    session: int
    resident: int
    cpu: int = 0
    began: int = 0


def census(*, dead: bool = False) -> list[Seen]:
    """All processes that are there, with those that are *dead* and not yet buried or without.

    It takes a while: one that ended early in it may stand beside one that began late.
    """
    found = []
    for entry in os.listdir(_PROC):
        if entry.isdecimal() and (each := seen(int(entry), dead)) is not None:
            found.append(each)
    return found


def seen(pid: int, dead: bool = False) -> Seen | None:
    """A process; None where there is none, or it is *dead* and only such as live count."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None  # it has ended meanwhile
    fields = text.rpartition(b")")[2].split()
    if not dead and fields[0] in (b"Z", b"X"):
        return None
    cpu = sum(int(ticks) for ticks in fields[11:15]) * _TICK
    return Seen(pid, int(fields[1]), int(fields[3]), int(fields[21]) * _PAGE, cpu, int(fields[19]))


def family(pid: int, everybody: list[Seen]) -> list[Seen]:
    """The process *pid*, all in its session, and all that any of them started."""
    known = {each.pid: each for each in everybody if each.pid == pid or each.session == pid}
    grown = True
    while grown:
        more = [e for e in everybody if e.parent in known and e.pid not in known]
        known.update({each.pid: each for each in more})
        grown = bool(more)
    return list(known.values())


def families(pids: Iterable[int]) -> dict[int, list[Seen]]:
    """The family of each process, with nobody that ended while they were looked for."""
    everybody = census()
    return {pid: [e for e in family(pid, everybody) if seen(e.pid)] for pid in pids}


def resident(pid: int | None = None) -> int:
    """The resident memory of a process in bytes; 0 where it is gone. None is this one."""
    found = seen(os.getpid() if pid is None else pid)
    return 0 if found is None else found.resident


def cpu_time() -> int:
    """CPU time of this process and of those that it started and buried, in nanoseconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return int(sum(each.ru_utime + each.ru_stime for each in used) * 1e9)


def has_children() -> bool:
    """Whether this process has any child, dead or alive, whichever of its threads began it.

    Where that cannot be seen, it has.
    """
    try:
        tasks = os.listdir(_PROC / "self" / "task")
        return any((_PROC / "self" / "task" / task / "children").read_bytes() for task in tasks)
    except OSError:
        return True


def forget_peak() -> None:
    """Have the peak memory of this process counted from now on (proc(5), clear_refs)."""
    try:
        (_PROC / "self" / "clear_refs").write_text("5")
    except OSError:
        pass  # then the peak of the process's whole life is told, which is never too small


def peak_memory() -> int:
    """The largest resident memory of this process in bytes."""
    try:
        for line in (_PROC / "self" / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def refuse_beyond(memory: int | None) -> None:
    """Raise `Overloaded` while this process holds more than *memory* bytes; None: no limit."""
    if memory is not None and (held := resident()) > memory:
        raise Overloaded(
            f"the engine holds {held // 1_000_000} MB, more than its limit of "
            f"{memory // 1_000_000} MB; try again later, or raise `memory` of [engine]"
        )
