"""What a plan may do outside: look through a connection, ask a planner, call what only reads."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from drawloom.doors import Doors
from drawloom.drivers.pulling import pulled
from drawloom.errors import ConnectionUnusable, ToolError
from drawloom.kernel import CallFailed
from drawloom.kernel.messages import Pull, Pulled
from drawloom.policies import Effect
from drawloom.runtime import Catalogue, Clients, Hands, Measured, StoredConnection
from drawloom.runtime.calling import Waiting, metered
from drawloom.runtime.catalogue import UnknownTool
from drawloom.runtime.clients import SecretSource
from drawloom.runtime.guarding import Caller
from drawloom.runtime.streams import Source
from drawloom.sdk import Context, Tool
from drawloom.sdk.planning import Touch
from drawloom.testing.engine import runs_for_real


class Looks:
    """The connections of one plan, opened only for looking. An async context manager.

    With *reads*, tools whose effect is `read` are called for real, through
    clients of their own.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        connections: Mapping[str, StoredConnection],
        doors: Doors,
        *,
        reads: bool = False,
        source: SecretSource | None = None,
    ) -> None:
        self._doors = doors
        self._reads = reads
        self._clients = Clients(catalogue, connections, doors, source)
        self._hands = Hands(_ReadingClients(catalogue, connections, doors, source))
        self._open: dict[str, Any] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
        await self._hands.aclose()

    def may_call(self, tool: Tool) -> bool:
        """Whether a plan calls the tool for real."""
        return runs_for_real(tool) or (self._reads and tool.effect is Effect.READ)

    async def call(self, tool: Tool, connection: str | None, args: dict[str, Any]) -> Any:
        """What the tool gives. Raises `ToolError`."""
        if tool.name == "core.sleep":
            return {"seconds": args["seconds"]}
        prepared, measured = self._hands.prepared(tool), Measured()
        context = Context("plan", tool.name, f"{tool.name}#1", "", 1)
        try:
            output = await self._hands.call(prepared, connection, args, context, measured)
            if type(output) is Waiting:
                output = prepared.check(await metered(output, measured), output.args)
        except Exception as exc:
            raise ToolError(self._hands.failure_of(tool, exc)) from exc
        return output

    async def pull(self, command: Pull, connection: str | None) -> Pulled | CallFailed:
        """The next items of a stream, or why there are none."""
        step = command.step
        spec: Any = step.spec
        caller = Caller("look", step.name, command.call, "look")
        source = Source(
            ("look", step.name), spec, step.effect, connection, command.args, caller, step.timeout
        )
        return await pulled(self._hands, source, command, lambda: 0)

    async def touches(
        self, tool: Tool, connection: str | None, args: dict[str, Any]
    ) -> tuple[Touch, ...] | None:
        """What a call would touch; None where the tool cannot say. Raises `ToolError`."""
        if tool.planner is None:
            return None
        taken = self._taken(tool, args)
        try:
            positional = () if connection is None else (await self._looking(connection),)
            told = tool.planner(*positional, **taken)
            return tuple(await told if inspect.isawaitable(told) else told)
        except Exception as exc:
            raise ToolError(self._hands.failure_of(tool, exc)) from exc

    def _taken(self, tool: Tool, args: dict[str, Any]) -> dict[str, Any]:
        takes = self._hands.prepared(tool).takes
        if takes is None:
            return dict(args)
        taken = takes(args, Context("plan", tool.name, f"{tool.name}#1", "", 1))
        taken.pop(tool.signature.context_name or "", None)
        return taken

    async def _looking(self, name: str) -> Any:
        if name not in self._open:
            try:
                settings = await self._clients.settings(name)
                looking = settings.look(self._doors)
                self._open[name] = await self._stack.enter_async_context(looking)
            except OSError as exc:
                raise ConnectionUnusable(f"connection {name!r}: {exc}") from exc
        return self._open[name]


class _ReadingClients(Clients):
    """Clients that only read, as far as their kinds can be told so."""

    def stored(self, name: str) -> StoredConnection:
        return _reading(super().stored(name), self.catalogue)


def _reading(stored: StoredConnection, catalogue: Catalogue) -> StoredConnection:
    """The connection, told to read only where its kind can be told so."""
    try:
        model = catalogue.connector(stored.kind).connection
    except UnknownTool:
        return stored  # whoever uses it is told
    if model is None or "read_only" not in model.model_fields:
        return stored
    return replace(stored, settings={**stored.settings, "read_only": True})
