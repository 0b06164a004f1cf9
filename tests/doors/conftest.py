"""Real servers on loopback, and a client of the door to reach them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from drawloom.doors import Credential, Egress, HttpClient, Limits, Reach

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Bytes = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """What a server was asked, as it arrived."""

    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def headers(self) -> Any:
        return self.requests[-1].headers


@dataclass
class Site:
    """A server that is running, and what it has seen."""

    port: int
    seen: Seen

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Network:
    """Starts servers and clients, and closes them at the end of the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def serve(self, handler: Handler) -> Site:
        """An HTTP server that answers everything with *handler*."""
        seen = Seen()

        async def noting(request: web.Request) -> web.StreamResponse:
            seen.requests.append(request)
            seen.bodies.append(await request.read())
            return await handler(request)

        app = web.Application(client_max_size=100 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", noting)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return Site(runner.addresses[0][1], seen)

    async def serve_bytes(self, talk: Bytes) -> Site:
        """A TCP server that talks as it likes."""
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        self._stack.callback(server.close)
        return Site(server.sockets[0].getsockname()[1], Seen())

    async def client(
        self,
        url: str,
        *,
        egress: Egress | None = None,
        reach: Reach = Reach.PRIVATE,
        credential: Credential | None = None,
        **limits: Any,
    ) -> HttpClient:
        """A client of the door."""
        opened = (egress or Egress()).http(
            url, reach=reach, credential=credential, limits=Limits(**limits)
        )
        return await self._stack.enter_async_context(opened)


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with AsyncExitStack() as stack:
        yield Network(stack)
