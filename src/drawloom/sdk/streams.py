"""Streams: tools that give their items bit by bit, and tools that take them so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin

T = TypeVar("T")

#: What stands for a stream in `steps.NAME`: how to open it.
OUTPUT_SCHEMA: Final[dict[str, Any]] = {
    "description": "A stream: read by a `for_each`, or by a tool that takes one.",
    "type": "object",
    "properties": {"$stream": {"type": "object"}},
    "required": ["$stream"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Chunk(Generic[T]):
    """Some items of a stream, and the cursor behind them.

    `after` is any JSON value. The tool is called again with it as `context.after`
    when the stream is to be read on from there: it has to give just what follows.
    """

    items: list[T]
    after: Any


class Stream(Generic[T]):
    """Items that come bit by bit: what a tool takes whose parameter is annotated `Stream[Row]`.

    In a chain it is given a stream or a list. It can be read once: item by item
    (`async for row in rows`), or as lists of some (`async for some in rows.chunks()`),
    never more of them in memory than one such list. What goes wrong while it is
    read is raised there, and is best left to go through. A call that is made again
    reads it again from its beginning.
    """

    __slots__ = ("_chunks",)

    def __init__(self, chunks: AsyncIterator[list[T]]) -> None:
        self._chunks = chunks

    @classmethod
    def of(cls, items: Iterable[T]) -> Stream[T]:
        """A stream of items that are there already."""

        async def whole() -> AsyncIterator[list[T]]:
            yield list(items)

        return cls(whole())

    async def chunks(self) -> AsyncIterator[list[T]]:
        """The items in lists, as they come."""
        async for some in self._chunks:
            if some:
                yield some

    async def __aiter__(self) -> AsyncIterator[T]:
        async for some in self._chunks:
            for item in some:
                yield item

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        (item,) = get_args(source) or (Any,)
        listed = core_schema.list_schema(handler.generate_schema(item))
        return core_schema.json_or_python_schema(
            json_schema=listed,
            python_schema=core_schema.is_instance_schema(cls),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [handler(schema), OUTPUT_SCHEMA]}


def item_of(annotation: Any) -> Any:
    """The type of the items where *annotation* is `Stream[…]`, also within `Annotated`; else None."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if annotation is Stream:
        return Any
    if get_origin(annotation) is not Stream:
        return None
    return get_args(annotation)[0]
