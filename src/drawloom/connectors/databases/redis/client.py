"""The open client: it sends commands, each with a deadline, and reads what they give."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from drawloom.connectors.databases.redis.pool import Pool
from drawloom.errors import Failure, FailureKind, ToolError

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.connection import RedisConnection

T = TypeVar("T")
# A word of a command. Whole ones only: floats are written by who knows how exact they are.
Word: TypeAlias = str | bytes | int


@dataclass(frozen=True, slots=True)
class Command(Generic[T]):
    """One command, word by word, and how its reply is read."""

    words: Sequence[Word]
    read: Callable[[Any], T]


class Client:
    """One database of one server, shared by every step that is bound to it."""

    def __init__(self, settings: RedisConnection, pool: Pool) -> None:
        self.settings = settings
        self.pool = pool

    async def run(self, command: Command[T], wait: float = 0.0) -> T:
        """Send one command and read its reply. *wait* is how long it may block, in seconds."""
        async with self.pool.line() as line:
            [reply] = await self.ask(line, [command.words], wait)
        return command.read(_good(reply))

    async def ask(
        self, line: Connection, commands: Sequence[Sequence[Word]], wait: float = 0.0
    ) -> list[Any]:
        """The reply to each of *commands*, sent as one. An error reply is given, not raised."""
        seconds = self.settings.timeout + wait
        try:
            async with asyncio.timeout(seconds):
                await line.send_packed_command(line.pack_commands(commands))
                return [await _reply(line) for _ in commands]
        except TimeoutError:
            message = f"{self.pool.place} gave no answer within {seconds:g} s"
            raise ToolError(Failure(FailureKind.TIMEOUT, message)) from None

    async def describe(self) -> dict[str, Any]:
        """What the server says of itself, and how long one round trip takes."""
        async with self.pool.line() as line:
            began = time.monotonic()
            await self.ask(line, [["PING"]])
            taken = time.monotonic() - began
            hello, user = await self.ask(line, [["HELLO"], ["ACL", "WHOAMI"]])
        told = {key.decode(): value for key, value in _good(hello).items()}
        return {
            **{name: told[name].decode() for name in ("server", "version", "mode", "role")},
            "user": user.decode() if isinstance(user, bytes) else None,
            "database": self.settings.database,
            "tls": self.pool.encrypted,
            "scripts": self.settings.allow_scripts,
            "latency_ms": round(taken * 1_000, 3),
        }

    async def close(self) -> None:
        """Close every connection that is not in use."""
        await self.pool.close()


async def _reply(line: Connection) -> Any:
    from redis.exceptions import ResponseError

    # Named, for what the driver types as a coroutine of anything.
    answer: Awaitable[Any] = line.read_response()
    try:
        return await answer
    except ResponseError as exc:
        return exc


def _good(reply: Any) -> Any:
    """*reply*, unless it is an error."""
    if isinstance(reply, Exception):
        raise reply
    return reply
