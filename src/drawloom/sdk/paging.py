"""A query of any number of rows as a stream, read portion by portion behind a key.

The key of the last row is the cursor. A connector says how a portion behind a cursor is
read; how portions become chunks, and what a key must be, is the same for all of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from operator import itemgetter
from typing import Annotated, TypeAlias

from pydantic import Field

from drawloom.errors import ToolError, invalid
from drawloom.sdk.context import Context
from drawloom.sdk.streams import Chunk
from drawloom.sdk.values import Json, Row

StreamKey: TypeAlias = Annotated[
    str | Annotated[list[str], Field(min_length=1)],
    Field(description="Columns of the result that tell its rows apart; best those of an index."),
]
# The rows behind a cursor (None: the first), so many at most, and whether there are more.
Behind: TypeAlias = Callable[[list[Json] | None, int], Awaitable[tuple[list[Row], bool]]]

# Rows of one query at least: with small batches a query for each would cost more than its rows.
_PORTION = 1_000


def key_names(key: str | list[str]) -> list[str]:
    """The columns of a key. Raises `ToolError` (invalid) where one is named twice."""
    named = [key] if isinstance(key, str) else key
    if len(set(named)) < len(named):
        raise invalid("key names a column twice", path="/key")
    return named


async def chunks_behind(
    behind: Behind, named: Sequence[str], context: Context
) -> AsyncGenerator[Chunk[Row], None]:
    """Chunks of `context.batch` rows behind `context.after`, each with its last key behind it."""
    after = context.after
    portion = context.batch * -(-_PORTION // context.batch)  # no chunk stands across two
    more = True
    while more:
        rows, more = await behind(after, portion)
        for at in range(0, len(rows), context.batch):
            items = rows[at : at + context.batch]
            after = [items[-1][column] for column in named]
            yield Chunk(items, after)


def check_keys(rows: list[Row], named: Sequence[str]) -> None:
    """Raises `ToolError` (invalid) where two rows, which stand side by side, have one key.

    For columns of which two values are the same to the server just if they are the same here.
    """
    keys = list(map(itemgetter(*named), rows))
    if len(set(keys)) < len(keys):
        at = next(at for at in range(1, len(keys)) if keys[at] == keys[at - 1])
        raise key_repeats(rows[at], named)


def key_repeats(row: Row, named: Sequence[str]) -> ToolError:
    """What is wrong where another row has the key of *row*."""
    values = ", ".join(str(row[column]) for column in named)
    return invalid(
        f"the key ({', '.join(named)}) does not tell the rows apart: two have ({values});"
        " add a column to it",
        path="/key",
    )
