"""Read streams on, chunk by chunk: a generator stays open while its reader goes on with it.

A `for_each` has a chunk read whenever it has room; a tool that takes a stream
reads it by itself, while its call is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final, NamedTuple

from drawloom.dataflow.validation import Validator, validator_for
from drawloom.dataflow.values import encode_output
from drawloom.errors import Failure, FailureKind, ToolError, ValueInvalid
from drawloom.policies import Effect
from drawloom.runtime.clients import Clients
from drawloom.runtime.guarding import Caller, Guards
from drawloom.sdk import Chunk, Context, Stream, Tool, name_fault
from drawloom.sdk.schemas import is_plain

CHUNK: Final = 500  # items that a tool reads at once
_OUT_OF_TIME: Final = Failure(FailureKind.TIMEOUT, "the stream gave nothing in time")


class _Open:
    __slots__ = ("after", "batch", "connection", "generator")

    def __init__(
        self, generator: AsyncGenerator[Chunk[Any], None], connection: str | None, batch: int
    ) -> None:
        self.generator = generator
        self.connection = connection
        self.batch = batch
        self.after: Any = None

    def goes_on(self, connection: str | None, context: Context) -> bool:
        """Whether what is to be read comes next."""
        here = (self.connection, self.batch, self.after)
        return here == (connection, context.batch, context.after)


class Source(NamedTuple):
    """Where the items of a stream come from: the step that opens it, and who reads it."""

    reader: tuple[str, str]
    tool: Tool
    effect: Effect
    connection: str | None
    args: dict[str, Any]
    caller: Caller
    timeout: float | None = None  # seconds for each chunk; None: as long as the call has


class Streams:
    """The open streams of one engine, each by who reads it."""

    def __init__(self, clients: Clients, guards: Guards) -> None:
        self._clients = clients
        self._guards = guards
        self._open: dict[tuple[str, str], _Open] = {}
        self._validators: dict[Tool, Validator] = {}
        self._takers: dict[tuple[Tool, str], Callable[[list[Any], int], list[Any]]] = {}

    async def pull(
        self, source: Source, context: Context, *, is_retry: bool = False
    ) -> Chunk[Any] | None:
        """The chunk behind `context.after`; None at the end.

        It passes the guards as a call does, and stays with the instance that the stream
        is open at. What goes wrong is raised (see `failure_of`), and the stream is then
        closed: the next pull opens it anew at its cursor.
        """
        stream = self._open.get(source.reader)
        caller = source.caller._replace(stays=None if stream is None else stream.connection)
        hold = self._guards.enter(
            source.tool.name, source.effect, source.connection, caller, is_retry=is_retry
        )
        try:
            async with asyncio.timeout(source.timeout):
                await hold.taken()
                chunk = await self._next(source, hold.connection, context)
        except TimeoutError:
            hold.leave(_OUT_OF_TIME)
            raise
        except Exception as exc:
            hold.leave(name_fault(source.tool.faults, exc))
            raise
        except BaseException:
            hold.leave(None, nothing_said=True)
            raise
        hold.leave(None)
        return chunk

    async def _next(
        self, source: Source, connection: str | None, context: Context
    ) -> Chunk[Any] | None:
        tool, args = source.tool, source.args
        stream = self._open.pop(source.reader, None)
        if stream is not None and not stream.goes_on(connection, context):
            await stream.generator.aclose()
            stream = None
        if stream is None:
            generator = await self._opened(tool, connection, args, context)
            stream = _Open(generator, connection, context.batch)
        try:
            chunk = self._checked(tool, await anext(stream.generator), context.batch, args)
        except StopAsyncIteration:
            return None
        except BaseException:
            await stream.generator.aclose()
            raise
        stream.after = chunk.after
        self._open[source.reader] = stream
        return chunk

    def taken(self, tool: Tool, name: str, given: list[Any] | Source) -> Stream[Any]:
        """What the parameter *name* of a tool gets: a list that is there, or what a source gives.

        Its items are those that the parameter is annotated with. One that is not
        fails the call as `invalid`; what goes wrong at the source, as that says.
        """
        take = self._taker(tool, name)
        if not isinstance(given, Source):
            return Stream.of(take(given, 0))
        return Stream(self._read(given, take))

    async def _read(
        self, source: Source, take: Callable[[list[Any], int], list[Any]]
    ) -> AsyncIterator[list[Any]]:
        caller, after, count = source.caller, None, 0
        while True:
            context = Context(caller.run, caller.step, caller.call, after=after, batch=CHUNK)
            try:
                chunk = await self.pull(source, context)
            except Exception as exc:  # whatever a tool does
                failure = name_fault(source.tool.faults, exc)
                message = f"reading {caller.step}: {failure.message}"
                raise ToolError(
                    Failure(failure.kind, message, failure.retry_after, failure.details)
                ) from exc
            if chunk is None:
                return
            yield take(chunk.items, count)
            after, count = chunk.after, count + len(chunk.items)

    def _taker(self, tool: Tool, name: str) -> Callable[[list[Any], int], list[Any]]:
        known = self._takers.get((tool, name))
        if known is None:
            known = self._takers[tool, name] = _taker(tool, name)
        return known

    async def close(self, run: str, by: str | None = None) -> None:
        """Close what a run (or one of its readers: a step, or a call) has open."""
        mine = [r for r in self._open if r[0] == run]
        for reader in (
            mine if by is None else [r for r in mine if by in (r[1], r[1].split(".")[0])]
        ):
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
            if not tool.encoded:
                items = encode_output(items, args)
            return Chunk(items, encode_output(chunk.after, {}))
        except ValueInvalid as exc:
            raise _defect(f"{tool.name} gave what its schema does not allow: {exc}") from None


def _taker(tool: Tool, name: str) -> Callable[[list[Any], int], list[Any]]:
    """Turns JSON items into those that a parameter takes; *before* came in earlier chunks."""
    from pydantic import ConfigDict, TypeAdapter

    item = tool.stream_inputs[name]
    listed = tool.input_schema["properties"][name]["anyOf"][0]
    validator = validator_for({**listed, "$defs": tool.input_schema.get("$defs", {})})
    config = ConfigDict(val_json_bytes="base64")
    convert = None if is_plain(item) else TypeAdapter(list[item], config=config).validate_python  # type: ignore[valid-type]

    def take(items: list[Any], before: int) -> list[Any]:
        try:
            validator.check(items, where=name)
        except ValueInvalid as exc:
            number = int(exc.path.split("/")[1]) if "/" in exc.path else 0
            message = f"{name}: item {before + number} does not fit: {exc.reason}"
            details = {"pointer": f"/{name}", "item": before + number}
            raise ToolError(Failure(FailureKind.INVALID, message, None, details)) from None
        return items if convert is None else convert(items)

    return take


def _list_validator(tool: Tool) -> Validator:
    schema = dict(tool.item_schema)
    definitions = schema.pop("$defs", None)
    made: dict[str, Any] = {"type": "array", "items": schema}
    return validator_for({**made, "$defs": definitions} if definitions else made)


def _defect(message: str) -> ToolError:
    return ToolError(Failure(FailureKind.DEFECT, message))
