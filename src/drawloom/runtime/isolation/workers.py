"""One process that calls tools: what it has been used for, and what its call has taken so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from drawloom.policies import Resources
from drawloom.runtime.isolation.origins import Origin
from drawloom.runtime.isolation.processes import Child
from drawloom.runtime.isolation.usage import Seen, seen
from drawloom.runtime.isolation.verdicts import Excess

CALLS = 200  # that one process answers before another takes its place


class Kept(NamedTuple):
    """What a process can be used for again: tools of one file, under the same limits."""

    origin: Origin
    limits: Resources


class Worker:
    """A process that calls tools, and how many calls it has answered."""

    __slots__ = (
        "_allowed",
        "_cpu_began",
        "_loaded",
        "_peak_began",
        "calls",
        "child",
        "ended_for",
        "first_resident",
        "kept",
        "own_processes",
        "peak",
    )  # fmt: skip

    def __init__(self, child: Child, kept: Kept, own_processes: int) -> None:
        self.child = child
        self.kept = kept
        self.own_processes = own_processes
        self.calls = 0
        self.first_resident = 0
        self.peak = 0  # bytes, seen from outside
        self.ended_for: Excess | None = None
        self._allowed: float | None = None  # nanoseconds of CPU time
        self._cpu_began: int | None = None
        self._loaded: set[str] = set()
        self._peak_began = 0

    def takes_on(self, tool: str, cpu: float | None) -> bool:
        """A call of *tool* begins that may take *cpu* seconds; whether it is the first of it.

        What a first one takes before its tool is ready is not held against it: it says so
        itself, and then `began` is called.
        """
        first = tool not in self._loaded
        self._loaded.add(tool)
        self._allowed = None if cpu is None else cpu * 1e9
        self.peak = 0
        self._peak_began = 0 if self.child.group is None else self.child.group.peak_memory()
        self._cpu_began = None
        if not first:
            self.began()
        return first

    def began(self) -> None:
        """From now on CPU time is that of the call."""
        if self._cpu_began is None:
            now = None if self.child.group else seen(self.child.pid)
            self._cpu_began = self._cpu([now] if now else [])

    def excess(self, members: Sequence[Seen]) -> Excess | None:
        """The limit that the call is over, by what its process and all of its *members* hold."""
        held = sum(each.resident for each in members)
        self.peak = max(self.peak, held)
        limits = self.kept.limits
        if len(members) > limits.processes + self.own_processes:
            return Excess("processes")
        if held > limits.memory:
            return Excess("memory")
        if self._allowed is not None and self._cpu_began is not None:
            used = self._cpu(members) - self._cpu_began
            if used > self._allowed:
                return Excess("cpu", round(used / 1e9, 3))
        return None

    def cost(self, answer: dict[str, Any]) -> tuple[int, int]:
        """The CPU time of the call in nanoseconds, and its peak memory in bytes.

        Where the process has a control group that says it for the whole family. The peak of
        one is for life: if it has not risen, the call's is what was measured inside or seen.
        """
        group = self.child.group
        peak = max(answer.get("peak", 0), self.peak)
        if group is None or self._cpu_began is None:
            return answer.get("cpu", 0), peak
        highest = group.peak_memory()
        return group.cpu_time() - self._cpu_began, highest if highest > self._peak_began else peak

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has ended it for that."""
        return self.child.group is not None and self.child.group.was_out_of_memory()

    def _cpu(self, members: Sequence[Seen]) -> int:
        if self.child.group is not None:
            return self.child.group.cpu_time()
        return sum(each.cpu for each in members)

    def worn(self, answer: dict[str, Any]) -> bool:
        """Whether another process should take its place."""
        self.calls += 1
        resident = answer.get("resident", 0)
        if self.calls == 1:
            self.first_resident = resident
        memory = self.kept.limits.memory
        # What its imports take alone is no growth, however much it is.
        grown = resident > max(self.first_resident + memory // 4, memory // 2)
        # What a call has started ends with it, and is not seen in the next.
        return self.calls >= CALLS or grown or "limit" in answer or answer.get("left", False)
