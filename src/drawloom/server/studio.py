"""One project while it is served: its engine, its chains as they are now, its stored runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from drawloom.chains import Chain, Plan
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.store import Store
from drawloom.drivers.starting import FROM_THE_START, Beginning
from drawloom.project import Project
from drawloom.project.chains import ChainFiles
from drawloom.server.problems import missing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that somebody asks for."""

    chain: str
    input: Mapping[str, Any]
    bindings: Mapping[str, str]
    key: str | None


class Studio:
    """What the routes work on. Files and the store are read in threads, never on the loop."""

    def __init__(self, project: Project, engine: Engine, state: Path) -> None:
        self.project = project
        self.engine = engine
        self.state = state

    async def chains(self) -> dict[str, list[Path]]:
        """The files of each chain, by its name, as they are now."""
        return await asyncio.to_thread(ChainFiles(self.project.folder).files)

    async def chain(self, name: str) -> tuple[Chain, bytes]:
        """A chain and the bytes of its file. Raises `Problem` (missing)."""

        def read() -> tuple[Chain, bytes]:
            files = ChainFiles(self.project.folder)
            try:
                chain = files(name)
            except KeyError as exc:
                raise missing(str(exc.args[0])) from None
            return chain, files.files()[name][0].read_bytes()

        return await asyncio.to_thread(read)

    async def start(self, wanted: Wanted) -> str:
        """Start a run of a chain as it is now; its id, once that is durable.

        Raises what the engine raises, `Problem` (missing), and `ChainInvalid` for a chain
        with errors.
        """
        chain, _ = await self.chain(wanted.chain)
        plan, slots = await asyncio.to_thread(self._planned, chain, wanted.bindings)
        beginning = FROM_THE_START if wanted.key is None else Beginning(key=wanted.key)
        return await self.engine.start(plan, wanted.input, bindings=slots, beginning=beginning)

    async def stored(self, look: Callable[[Store], T]) -> T:
        """What *look* finds in the store, in a thread."""

        def work() -> T:
            with Store(self.state) as store:
                return look(store)

        return await asyncio.to_thread(work)

    def _planned(
        self, chain: Chain, bindings: Mapping[str, str]
    ) -> tuple[Plan, Mapping[str, str]]:
        self.project.forget()  # others may have been added to the vault meanwhile
        # A connection is one that is kept here: nobody gives one on the spot over HTTP.
        named = [f"{slot}={name}" for slot, name in bindings.items()]
        for name in bindings.values():
            if name not in self.project.connections:
                raise missing(f"there is no connection {name!r}")
        plan = self.project.checked_plan(chain)
        return plan, self.project.bindings(plan, named).slots
