"""What a process does to itself before it does anything for others."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
from typing import BinaryIO

from drawloom.policies import Resources

_SET_SIGNAL = 10  # F_SETSIG, fcntl(2); Python has no name for it
_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
_MAPPED_FILES = 512 << 20  # bytes of address space that libraries may take beside the memory
_OWN_FILES = 8  # the pipes to the engine, and some to spare


def live_with_parent(line: int) -> None:
    """End this process, with its whole group, when the other end of the pipe *line* closes.

    The kernel itself does it (F_SETSIG and O_ASYNC, fcntl(2)), so that it works
    when this interpreter is stuck, and when the engine was killed with -9.
    Nothing is ever written to that pipe. PR_SET_PDEATHSIG would come too early: it is
    sent when the first thread of the engine has gone, and then this process is no longer
    there to have its group ended when the last one closes the pipe.
    """
    fcntl.fcntl(line, _SET_SIGNAL, signal.SIGKILL)
    fcntl.fcntl(line, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    os.set_inheritable(line, False)
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_CHILD_SUBREAPER, 1)  # what it starts stays below it, and is found and ended


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the engine, out of the way of whatever prints or reads.

    What is printed goes to where the errors go.
    """
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


def limit_address_space(size: int) -> None:
    """Let this process have *size* bytes of address space at most, and leave no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def confine(limits: Resources) -> None:
    """Set the limits that hold for as long as this process lives (setrlimit(2)); for good."""
    limit_address_space(limits.memory + _MAPPED_FILES)
    for what, most in (
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_NOFILE, limits.files + _OWN_FILES),
        (resource.RLIMIT_FSIZE, limits.disk),
    ):
        resource.setrlimit(what, (most, most))


def limit_cpu(seconds: float | None) -> None:
    """Let the next call have *seconds* of CPU time, rounded up to whole ones (RLIMIT_CPU)."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = hard
    if seconds is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
