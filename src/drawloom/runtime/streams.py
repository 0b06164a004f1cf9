"""Read streams on, chunk by chunk: a generator stays open while its reader goes on with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from drawloom.dataflow.validation import Validator, validator_for
from drawloom.dataflow.values import encode_output
from drawloom.errors import Failure, FailureKind, ToolError, ValueInvalid
from drawloom.runtime.clients import Clients
from drawloom.sdk import Chunk, Context, Tool


class _Open:
    __slots__ = ("after", "batch", "generator")

    def __init__(self, generator: AsyncGenerator[Chunk[Any], None], batch: int) -> None:
        self.generator = generator
        self.batch = batch
        self.after: Any = None


class Streams:
    """The open streams of one engine, each by who reads it."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._open: dict[tuple[str, str], _Open] = {}
        self._validators: dict[Tool, Validator] = {}

    async def pull(
        self,
        reader: tuple[str, str],
        tool: Tool,
        connection: str | None,
        args: dict[str, Any],
        context: Context,
    ) -> Chunk[Any] | None:
        """The chunk behind `context.after`; None at the end.

        What goes wrong is raised (see `failure_of`), and the stream is then closed:
        the next pull opens it anew at its cursor.
        """
        stream = self._open.pop(reader, None)
        if stream is not None and (stream.after, stream.batch) != (context.after, context.batch):
            await stream.generator.aclose()
            stream = None
        if stream is None:
            stream = _Open(await self._opened(tool, connection, args, context), context.batch)
        try:
            chunk = self._checked(tool, await anext(stream.generator), context.batch, args)
        except StopAsyncIteration:
            return None
        except BaseException:
            await stream.generator.aclose()
            raise
        stream.after = chunk.after
        self._open[reader] = stream
        return chunk

    async def close(self, run: str, step: str | None = None) -> None:
        """Close what a run (or one of its steps) has open."""
        for reader in [r for r in self._open if r[0] == run and step in (None, r[1])]:
            await self._open.pop(reader).generator.aclose()

    async def aclose(self) -> None:
        """Close every stream."""
        rest, self._open = list(self._open.values()), {}
        await asyncio.gather(*[s.generator.aclose() for s in rest], return_exceptions=True)

    async def _opened(
        self, tool: Tool, connection: str | None, args: dict[str, Any], context: Context
    ) -> AsyncGenerator[Chunk[Any], None]:
        taken = dict(args)
        if not tool.plain_input:
            model = tool.model.model_validate(args)
            taken = {name: getattr(model, name) for name in model.model_fields_set}
        if tool.signature.context_name is not None:
            taken[tool.signature.context_name] = context
        client = () if connection is None else (await self._clients.get(connection),)
        generator: AsyncGenerator[Chunk[Any], None] = tool.function(*client, **taken)
        return generator

    def _checked(
        self, tool: Tool, chunk: Chunk[Any], most: int, args: dict[str, Any]
    ) -> Chunk[Any]:
        """The chunk as I-JSON. Raises `ToolError` (defect) for what the tool must not give."""
        if not 0 < len(chunk.items) <= most:
            raise _defect(f"{tool.name} gave a chunk of {len(chunk.items)}, not 1 to {most}")
        validator = self._validators.get(tool)
        if validator is None:
            validator = self._validators[tool] = _list_validator(tool)
        items: Any = chunk.items
        if not tool.plain_output:
            items = [tool.adapter.dump_python(i, mode="json", warnings=False) for i in items]
        try:
            validator.check(items, where=f"a chunk of {tool.name}")
            return Chunk(encode_output(items, args), encode_output(chunk.after, {}))
        except ValueInvalid as exc:
            raise _defect(f"{tool.name} gave what its schema does not allow: {exc}") from None


def _list_validator(tool: Tool) -> Validator:
    schema = dict(tool.item_schema)
    definitions = schema.pop("$defs", None)
    made: dict[str, Any] = {"type": "array", "items": schema}
    return validator_for({**made, "$defs": definitions} if definitions else made)


def _defect(message: str) -> ToolError:
    return ToolError(Failure(FailureKind.DEFECT, message))
