"""Whose turn it is: of the runs of a chain that share a key, so many go on, the others wait."""

from __future__ import annotations

from typing import Final

from drawloom.kernel.messages import Admit
from drawloom.policies.admission import Admission

# An engine bounds its runs, and so those that wait: this is more than there can be.
_ALL: Final = 1 << 30


class Turns:
    """The turns of one engine's runs. Who waits is found again at a restart, from the journal."""

    def __init__(self) -> None:
        self._rooms: Admission[str] = Admission(_ALL)

    def come(self, chain: str, run: str, command: Admit) -> bool:
        """Whether the run may begin at once; else it waits."""
        key = (chain, command.key)
        return self._rooms.enter(run, key, command.limit, command.priority) == "go"

    def take(self, chain: str, run: str, command: Admit) -> None:
        """The run had its turn before a restart, and has it whatever the limit is now."""
        self._rooms.enter(run, (chain, command.key), _ALL)

    def leave(self, chain: str, run: str, command: Admit) -> tuple[str, ...]:
        """The run is over, or waits no more; the runs whose turn it is now."""
        waited = self._rooms.withdraw(run)
        return () if waited else self._rooms.leave((chain, command.key))
