"""What stands in front of every route: which host, how large a body, which headers go out.

Plain ASGI, so that nothing of a request is read before it was looked at.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drawloom.server.problems import Problem

MOST_BODY = 8 * 1024 * 1024  # bytes
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class Limits:
    """Answers what must not come further, and counts the body of what may.

    *hosts* are the names by which the server is known; a page elsewhere that makes its
    own name point here (DNS rebinding) is refused. What changes something and comes from
    a page of another origin is refused, whoever is signed in there.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], most: int = MOST_BODY) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        guarded = _guarded(send)
        if (problem := self._refused(scope, headers)) is not None:
            await problem.answer()(scope, receive, guarded)
            return
        body = _Body(receive, self._most)
        await self._app(scope, body.receive, body.instead(guarded))
        if body.too_large:
            await self._too_large().answer()(scope, receive, guarded)

    def _refused(self, scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _name(host) not in self._hosts:
            return Problem(421, "host", f"this server is not {host or 'nobody'!r}")
        if scope["method"] not in _SAFE:
            origin = headers.get(b"origin", b"").decode("latin-1").lower()
            if origin and origin.partition("://")[2] != host:
                return Problem(403, "origin", f"a page of {origin} may change nothing here")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most:
            return self._too_large()
        return None

    def _too_large(self) -> Problem:
        return Problem(413, "too-large", f"a body has {self._most:,} bytes at most")


class _Body:
    """Counts a body as it comes, whatever its length was said to be. What is too large ends
    there, and whatever the application answers to that is left out."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most
        self.too_large = False

    async def receive(self) -> Message:
        message: Message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.too_large = True
            return {"type": "http.disconnect"}
        return message

    def instead(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if not self.too_large:
                await send(message)

        return sent


def _guarded(send: Send) -> Send:
    """Has the headers on each answer that keep a browser from doing more than it is told."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            added = [pair for pair in _HEADERS if pair[0] not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sent


def _name(host: str) -> str:
    """A host without its port; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def known_as(address: str, also: Collection[str]) -> set[str]:
    """The names of a server that listens on *address*, and those it is *also* known by."""
    local = {"localhost", "127.0.0.1", "[::1]"}
    return {*local, f"[{address}]" if ":" in address else address, *also}
