"""The open client: it sends commands, each with a deadline, and reads what they give."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from drawloom.connectors.databases.redis.commands import Command, Word
from drawloom.connectors.databases.redis.server import Server
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk.pooling import Pool

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.connection import RedisConnection

T = TypeVar("T")

_CLOSING = 10.0  # seconds for what still runs when the client closes


class Client:
    """One database of one server, shared by every step that is bound to it."""

    def __init__(self, settings: RedisConnection, server: Server) -> None:
        self.settings = settings
        self.pool = Pool(server, settings)
        self._server = server

    async def run(self, command: Command[T]) -> T:
        """Send one command, and give what its reply says."""
        pooled = await self.pool.acquire()
        keep = False
        try:
            if command.counts:
                await self._check_count(pooled.connection, command)
            [reply] = await self.ask(pooled.connection, [command.words], command.wait)
            keep = True
        finally:
            self.pool.release(pooled, keep=keep)
        return reading(command, reply)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Connection]:
        """A connection that answers. It is closed if what is done with it goes wrong.

        Raises `ToolError`: whatever goes wrong on the way came before the command.
        """
        pooled = await self.pool.acquire()
        keep = False  # else nobody knows what is still on its way to us
        try:
            yield pooled.connection
            keep = True
        finally:
            self.pool.release(pooled, keep=keep)

    async def ask(
        self,
        line: Connection,
        commands: Sequence[Sequence[Word]],
        wait: float = 0.0,
        pushed: bool = False,
    ) -> list[Any]:
        """The reply to each of *commands*, sent as one. An error reply is given, not raised.

        *pushed*: they are answered by messages, as SUBSCRIBE is.
        """
        seconds = self.settings.timeout + wait
        try:
            async with asyncio.timeout(seconds):
                await line.send_packed_command(line.pack_commands(commands))
                return [await _reply(line, pushed) for _ in commands]
        except TimeoutError:
            message = f"{self._server.place} gave no answer within {seconds:g} s"
            raise ToolError(Failure(FailureKind.TIMEOUT, message)) from None

    async def describe(self) -> dict[str, Any]:
        """What the server says of itself, and how long one round trip takes."""
        async with self.line() as line:
            began = time.monotonic()
            await self.ask(line, [["PING"]])
            taken = time.monotonic() - began
            hello, user = await self.ask(line, [["HELLO"], ["ACL", "WHOAMI"]])
            name = user if isinstance(user, bytes) else b"default"
            [rights] = await self.ask(line, [["ACL", "GETUSER", name]])
        told = {key.decode(): value for key, value in good(hello).items()}
        return {
            **{name: told[name].decode() for name in ("server", "version", "mode", "role")},
            "user": user.decode() if isinstance(user, bytes) else None,
            "database": self.settings.database,
            "tls": self._server.encrypted,
            "scripts": self.settings.allow_scripts,
            "rights": _rights(rights),
            "latency_ms": round(taken * 1_000, 3),
        }

    async def close(self) -> None:
        """Close every connection, after a moment for what still runs."""
        await self.pool.close(_CLOSING)

    async def _check_count(self, line: Connection, command: Command[Any]) -> None:
        """Refuse what would be too much for a reply, before it is on its way."""
        counts = await self.ask(line, command.counts)
        items, most = command.total([good(count) for count in counts]), self.settings.max_items
        if items > most:
            raise invalid(
                f"the reply may have {items} items, and the connection's max_items is {most};"
                " raise it, read a part, or use the tool that streams"
            )


def _rights(told: Any) -> dict[str, str] | None:
    """What the server says a user may do; None where it does not let him ask. No password."""
    if not isinstance(told, dict):
        return None
    named = {key.decode(): value for key, value in told.items()}
    return {
        name: named[name].decode()
        for name in ("commands", "keys", "channels")
        if isinstance(named.get(name), bytes)
    }


async def _reply(line: Connection, pushed: bool) -> Any:
    from redis.exceptions import ResponseError

    answer: Awaitable[Any] = line.read_response(push_request=pushed)
    try:
        return await answer
    except ResponseError as exc:
        return exc


def good(reply: Any) -> Any:
    """*reply*, unless it is an error, which is raised."""
    if isinstance(reply, Exception):
        raise reply
    return reply


def reading(command: Command[T], reply: Any) -> T:
    """What *reply* says; an error reply is raised, unless the command accepts it."""
    if command.accepts and str(reply).startswith(command.accepts):
        return command.read(reply)
    return command.read(good(reply))
