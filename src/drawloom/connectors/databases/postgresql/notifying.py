"""NOTIFY: a message to whoever listens on a channel of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.effects import once
from drawloom.errors import invalid
from drawloom.sdk import Context, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

# The server's own limits, in bytes: a name has 63, and a payload must be shorter than 8000.
_LONGEST_CHANNEL = 63
_LONGEST_PAYLOAD = 7_999


class Notified(TypedDict):
    """Where the message went."""

    channel: str


@connector.tool(effect="keyed")
async def notify(
    client: Client,
    channel: Annotated[str, Field(min_length=1, description="As it is: upper case stays.")],
    context: Context,
    payload: str = "",
) -> Notified:
    """Send a message to those who LISTEN on a channel, once however often the engine calls.

    The server delivers it when the transaction is committed, to those who listen then,
    and keeps nothing for others. The payload has less than 8000 bytes.
    """
    _check("channel", channel, _LONGEST_CHANNEL)
    _check("payload", payload, _LONGEST_PAYLOAD)

    async def run(connection: Any) -> Notified:
        await connection.execute("SELECT pg_catalog.pg_notify($1, $2)", channel, payload)
        return Notified(channel=channel)

    return await once(client, context.key, run)


def _check(name: str, text: str, most: int) -> None:
    size = len(text.encode())
    if size > most:
        raise invalid(f"{name} has {size} bytes; the server takes {most}", path=f"/{name}")
