"""Notes by which a `keyed` tool knows a call that it has carried out already.

The note's name holds the engine's idempotency key. It is written in the same MULTI/EXEC as
the work, so that there are both or neither, and it expires. A call that finds its note does
no work, and answers from what the note keeps, or from what is there now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from drawloom.connectors.databases.redis.client import good, reading
from drawloom.connectors.databases.redis.commands import Command, Word
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import Context

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.client import Client

T = TypeVar("T")


def note_of(context: Context) -> str:
    """The name of the key that holds the note of this call."""
    if not context.key:
        raise invalid("there is no idempotency key: call this tool from a chain")
    return f"drawloom:note:{context.key}"


async def exactly_once(
    client: Client,
    note: str,
    work: Sequence[Sequence[Word]],
    recall: Command[T],
    undo: Sequence[Sequence[Word]] = (),
) -> T:
    """Carry out *work*, some of which makes *note*, unless it is there; then give *recall*.

    Where a command, or the reading of what *recall* gives, goes wrong, *undo* is done: by
    itself the server undoes nothing.
    """
    async with client.line() as line:
        [_, known] = await client.ask(line, [["WATCH", note], ["EXISTS", note]])
        if good(known):
            [_, reply] = await client.ask(line, [["UNWATCH"], recall.words])
            return reading(recall, reply)
        keep: list[Word] = ["EXPIRE", note, client.settings.note_seconds]
        asked = [["MULTI"], *work, recall.words, keep, ["EXEC"]]
        replies = committed(await client.ask(line, asked))
        wrong = next((r for r in replies[: len(work)] if isinstance(r, Exception)), None)
        # The note must not vouch for what was not done.
        forget = [*undo, ["UNLINK", note]] if wrong is not None or undo else []
        async with taking_back(client, line, forget):
            return reading(recall, wrong or replies[len(work)])


@asynccontextmanager
async def taking_back(
    client: Client, line: Connection, commands: Sequence[Sequence[Word]]
) -> AsyncIterator[None]:
    """Do *commands*, at once, if what is done inside goes wrong."""
    try:
        yield
    except Exception:
        if commands:
            await client.ask(line, [["MULTI"], *commands, ["EXEC"]])
        raise


def committed(replies: list[Any]) -> list[Any]:
    """What EXEC gave. Raises where it was not carried out, which then had no effect."""
    done = replies[-1]
    if done is None:
        raise ToolError(
            Failure(
                FailureKind.TRANSIENT,
                "a watched key was changed meanwhile, and nothing was done; try again",
                harmless=True,
            )
        )
    if isinstance(done, Exception):  # what was refused says why; EXEC only that it was
        raise next(r for r in replies if isinstance(r, Exception))
    return list(done)
