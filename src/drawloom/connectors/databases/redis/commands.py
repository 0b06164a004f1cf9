"""Tools that are one command: a function from the arguments to the command makes the tool.

`redis.transaction` takes the same functions for its operations, so that what a command
looks like, and how its reply is read, stands in one place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, get_args, get_type_hints

from drawloom.connectors.databases.redis.connection import connector
from drawloom.sdk import Tool
from drawloom.sdk.connector import EffectName

T = TypeVar("T")
# A word of a command. Whole ones only: floats are written by who knows how exact they are.
Word: TypeAlias = str | bytes | int


@dataclass(frozen=True, slots=True)
class Command(Generic[T]):
    """One command, word by word, and how its reply is read.

    `counts` are commands that give numbers, of which `total` makes how many items the reply
    may have, where that may be too many. An error reply that begins with the word `accepts` is
    read as a reply. The server may take `wait` seconds before it answers.
    """

    words: Sequence[Word]
    read: Callable[[Any], T]
    counts: Sequence[Sequence[Word]] = ()
    total: Callable[[list[int]], int] = sum
    accepts: str = ""
    wait: float = 0.0


Builder: TypeAlias = Callable[..., Command[Any]]

# By the name of the tool without `redis.`.
BUILDERS: dict[str, Builder] = {}


def one_command(*, effect: EffectName) -> Callable[[Builder], Tool]:
    """Register a function that gives a `Command[T]` as a tool that runs it and gives a `T`."""

    def register(build: Builder) -> Tool:
        async def call(client: Any, **given: Any) -> Any:
            return await client.run(build(**given))

        hints = get_type_hints(build, include_extras=True)
        hints["return"] = get_args(hints["return"])[0]
        first = inspect.Parameter("client", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        given = inspect.signature(build).parameters.values()
        call.__signature__ = inspect.Signature([first, *given])  # type: ignore[attr-defined]
        call.__annotations__ = hints
        call.__doc__, call.__module__ = build.__doc__, build.__module__
        call.__name__ = call.__qualname__ = build.__name__
        made = connector.tool(effect=effect)(call)
        BUILDERS[made.name.partition(".")[2]] = build
        return made

    return register
