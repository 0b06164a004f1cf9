"""A real HTTP service on loopback, and the open client of a connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from drawloom.connectors.web.http import HttpConnection
from drawloom.sdk.doors import Doors, HttpClient

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Service:
    """What was asked, and what to answer."""

    answer: Handler
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> web.Request:
        return self.requests[-1]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.answer(request)


class Lab:
    """Starts services and clients; all are closed when the test ends."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def service(self, answer: Handler, ssl: Any = None) -> Service:
        service = Service(answer)
        app = web.Application(client_max_size=100 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", service.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl).start()
        service.port = runner.addresses[0][1]
        return service

    async def client(self, base_url: str, **settings: Any) -> HttpClient:
        connection = HttpConnection.model_validate(
            {"base_url": base_url, "network": "private", **settings}
        )
        return await self._stack.enter_async_context(connection.open(Doors()))


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        yield Lab(stack)
