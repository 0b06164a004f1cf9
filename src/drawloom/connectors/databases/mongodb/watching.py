"""Change streams: what has changed in a collection, bit by bit, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from drawloom.connectors.databases.mongodb.changing import Args
from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.pipelines import watching_pipeline
from drawloom.connectors.databases.mongodb.values import from_bson
from drawloom.sdk import Chunk, Context, Json, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

_PAUSE = 500  # milliseconds that the server waits for a change before it says that there is none


@connector.tool(effect="read")
async def watch(
    client: Client,
    collection: Collection,
    context: Context,
    pipeline: Annotated[
        list[Row] | None, Field(description="Stages for the events, such as a $match.")
    ] = None,
    args: Args = None,
    limit: Annotated[int, Field(ge=1, description="Events at most.")] = 1_000,
    wait: Annotated[
        float, Field(ge=0, le=86_400, description="Seconds without an event until it ends.")
    ] = 10,
    resume: Annotated[
        Json, Field(description="The `_id` of the event to go on behind; else from now on.")
    ] = None,
    whole: Annotated[
        Literal["updateLookup", "whenAvailable", "required"] | None,
        Field(description="Whether events of updates have the whole document."),
    ] = None,
) -> AsyncIterator[Chunk[Row]]:
    """Read the changes of a collection as a stream, until there are none for a while.

    The cursor is the server's resume token, the `_id` of an event: a run goes on
    behind the last event that it had, as long as the server's log reaches back so
    far. Needs a replica set or a sharded cluster.
    """
    left, token = _state(context.after, limit, resume)
    stages = watching_pipeline(pipeline or [], client.language, args or {})
    changes = await client.collection(collection).watch(
        stages, whole, resume_after=token, max_await_time_ms=min(_PAUSE, client.max_time // 2)
    )
    async with changes:
        while left > 0:
            found = await _some(changes, min(context.batch, left), wait)
            if not found:
                return
            left -= len(found)
            # The token of the stream itself: a pipeline may have taken it out of the event.
            yield Chunk(found, {"token": changes.resume_token, "left": left})


def _state(after: Any, limit: int, resume: Any) -> tuple[int, Any]:
    """How many events may still come, and the token to go on behind."""
    return (limit, resume) if after is None else (after["left"], after["token"])


async def _some(changes: Any, most: int, wait: float) -> list[Row]:
    """Events that are there; if there are none, the first that comes in time."""
    found: list[Row] = []
    until = monotonic() + wait
    while len(found) < most and changes.alive:
        event = await changes.try_next()
        if event is not None:
            found.append(_event(event))
        elif found or monotonic() >= until:
            break
    return found


def _event(event: dict[str, Any]) -> Row:
    read: Row = from_bson(event)
    return read
