"""What one call may take of the machine, and who may begin while room is scarce."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

MB = 1_000_000  # bytes
LEAST_MEMORY = 64 * MB  # an interpreter with nothing to do takes about half of it
LEAST_FILES = 16


@dataclass(frozen=True, slots=True)
class Resources:
    """The limits of one call in a process of its own.

    `memory` is in bytes, for the interpreter and all of its processes together;
    `cpu` is in seconds, None where only the deadline of the call ends it;
    `files` is the number of open files; `processes` includes the first one;
    `disk` is the size in bytes of the largest file that may be written.
    """

    memory: int = 512 * MB
    cpu: float | None = None
    files: int = 256
    processes: int = 1
    disk: int = 1_000 * MB


DEFAULT_RESOURCES = Resources()


class Answer(Enum):
    """What `Admission.ask` says."""

    GO = "go"
    WAIT = "wait"
    FULL = "full"  # too many wait already
    NEVER = "never"  # it asks for more than there is


class Admission:
    """Lets calls begin in the order in which they came, while there is room for them.

    At most *calls* go on at once, whose declared memory is never more than *memory*
    bytes together; at most *waiting* wait. The first that waits is never overtaken,
    so that a large call is not starved by small ones.
    """

    __slots__ = ("_calls", "_going", "_memory", "_most_waiting", "_used", "_waiting")

    def __init__(self, calls: int, memory: int | None = None, waiting: int = 1_000) -> None:
        self._calls = calls
        self._memory = memory
        self._most_waiting = waiting
        self._going: dict[int, int] = {}
        self._waiting: deque[tuple[int, int]] = deque()
        self._used = 0

    @property
    def used(self) -> int:
        """The declared memory of what goes on, in bytes."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def ask(self, call: int, memory: int) -> Answer:
        """Whether *call* may begin; one that waits is named by `leave` when its turn comes."""
        if self._memory is not None and memory > self._memory:
            return Answer.NEVER
        if not self._waiting and self._fits(memory):
            self._begin(call, memory)
            return Answer.GO
        if len(self._waiting) >= self._most_waiting:
            return Answer.FULL
        self._waiting.append((call, memory))
        return Answer.WAIT

    def leave(self, call: int) -> list[int]:
        """*call* is over, or waits no more; those that may begin now."""
        memory = self._going.pop(call, None)
        if memory is None:
            self._waiting = deque(each for each in self._waiting if each[0] != call)
        else:
            self._used -= memory
        begun = []
        while self._waiting and self._fits(self._waiting[0][1]):
            following, memory = self._waiting.popleft()
            self._begin(following, memory)
            begun.append(following)
        return begun

    def _fits(self, memory: int) -> bool:
        if len(self._going) >= self._calls:
            return False
        return self._memory is None or self._used + memory <= self._memory

    def _begin(self, call: int, memory: int) -> None:
        self._going[call] = memory
        self._used += memory
