"""The HTTP transport on aiohttp: connects to judged addresses only.

Loaded by `Egress.http` when the first client is opened, for aiohttp is an extra
and takes a third of a second to import.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from drawloom.doors.addresses import Reach, literal, refusal
from drawloom.doors.bodies import ACCEPTED, read_body, refuse_length
from drawloom.doors.client import Answer, Limits, Outgoing, Tls
from drawloom.doors.headers import Headers, first
from drawloom.doors.meter import count_in, count_out
from drawloom.doors.network_faults import explain
from drawloom.doors.progress import Progress
from drawloom.errors import ConnectionUnusable

if TYPE_CHECKING:
    from drawloom.doors.egress import Resolve

_CONNECT_SECONDS = 10.0
_HEAD_LINE = 8 * 1024
_HEAD_LINES = 128
_POOLED = 100


class AiohttpTransport:
    """Sends over kept connections, or over a new one where a request must be made once."""

    def __init__(self, judging: Judging, limits: Limits, tls: ssl.SSLContext | bool) -> None:
        self._judging = judging
        self._limits = limits
        self._tls = tls
        self._stack = AsyncExitStack()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close every connection."""
        await self._stack.aclose()

    async def send(self, request: Outgoing, progress: Progress) -> Answer:
        """Send one request, follow nothing, and read the whole answer within the limits."""
        session = await self._session(request.fresh)
        began = time.perf_counter()
        try:
            await self._judging.judge_literal(request.origin.host, request.origin.port)
            async with self._requested(session, request, progress) as response:
                progress.head_received()
                return await self._read(request, response, began)
        except (aiohttp.ClientError, OSError) as exc:
            raise explain(exc, request.origin, progress) from exc

    def _requested(
        self, session: aiohttp.ClientSession, request: Outgoing, progress: Progress
    ) -> Any:
        return session.request(
            request.method,
            URL(f"{request.origin}{request.target}", encoded=True),
            headers=CIMultiDict([*request.headers, ("Accept-Encoding", ACCEPTED)]),
            data=request.body,
            allow_redirects=False,
            trace_request_ctx=progress,
        )

    async def _read(self, request: Outgoing, response: _Response, began: float) -> Answer:
        headers = _headers(response)
        tls = response.tls
        body = b""
        if request.method != "HEAD" and response.status != 304:  # they state a length, without one
            refuse_length(first(headers, "content-length"), self._limits.max_bytes)
            encoding = ", ".join(value for name, value in headers if name == "content-encoding")
            body = await read_body(response.content.iter_any(), encoding, self._limits.max_bytes)
        seconds = time.perf_counter() - began
        return Answer(response.status, headers, body, tls=tls, seconds=seconds)

    async def _session(self, fresh: bool) -> aiohttp.ClientSession:
        if fresh not in self._sessions:
            self._sessions[fresh] = session = self._opened(fresh)
            await self._stack.enter_async_context(session)
        return self._sessions[fresh]

    def _opened(self, fresh: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self._judging,
            socket_factory=self._judging.socket,
            ssl=self._tls,
            force_close=fresh,
            limit=_POOLED,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            headers={"User-Agent": "Drawloom"},
            skip_auto_headers=("Content-Type",),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_line_size=_HEAD_LINE,
            max_field_size=_HEAD_LINE,
            max_headers=_HEAD_LINES,
            trace_configs=[_tracing()],
            response_class=_Response,
            middlewares=(_sent_once,) if fresh else (),
        )


class _Response(aiohttp.ClientResponse):
    """Notes the TLS version while the connection is still there: a short answer gives it back."""

    tls: str | None = None

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        transport = connection.transport
        secured = transport.get_extra_info("ssl_object") if transport else None
        self.tls = secured.version() if secured is not None else None
        return await super().start(connection)


class Judging(AbstractResolver):
    """The resolver of a client, and the last lock in front of every socket."""

    def __init__(self, resolve: Resolve, reach: Reach) -> None:
        self._resolve = resolve
        self._reach = reach

    async def judge_literal(self, host: str, port: int) -> None:
        """Judge an address given as such, for which no resolver is asked."""
        if literal(host):
            await self._judged(host, port)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The allowed addresses of *host*. Raises `ToolError` (denied) where there is none."""
        return [_resolved(host, ip, port) for ip, _ in await self._judged(host, port)]

    def socket(self, info: Any) -> socket.socket:
        """A socket for an address that is judged once more, now that it is connected to."""
        family, kind, protocol, _, address = info
        if why := refusal(str(address[0]), self._reach):
            raise PermissionError(f"{address[0]} may not be reached ({why})")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Nothing to close: the system's resolver is used."""

    async def _judged(self, host: str, port: int) -> list[tuple[str, int]]:
        from drawloom.doors.egress import judge

        return await judge(host, port, self._reach, resolve=self._resolve)


def _resolved(host: str, ip: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=flags)


async def _sent_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending again: it repeats a PUT or DELETE whose connection was lost."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise aiohttp.ClientConnectionError(str(exc)) from exc


def _tracing() -> aiohttp.TraceConfig:
    """Count what is sent, and note when the head leaves."""
    # The context of a trace is the `Progress` that was passed along with the request.
    config = aiohttp.TraceConfig(lambda trace_request_ctx: trace_request_ctx)  # type: ignore[arg-type]

    async def head(
        _: object, progress: Any, params: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        progress.head_sent()
        line = len(params.method) + len(params.url.raw_path_qs) + 12
        count_out(line + sum(len(n) + len(v) + 4 for n, v in params.headers.items()) + 2)

    async def chunk(_: object, __: object, params: aiohttp.TraceRequestChunkSentParams) -> None:
        count_out(len(params.chunk))

    config.on_request_headers_sent.append(head)
    config.on_request_chunk_sent.append(chunk)
    return config


def _headers(response: aiohttp.ClientResponse) -> Headers:
    raw = response.raw_headers
    count_in(sum(len(n) + len(v) + 4 for n, v in raw) + 17 + len(response.reason or ""))
    return tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in raw)


@asynccontextmanager
async def open_transport(
    resolve: Resolve, reach: Reach, limits: Limits, tls: Tls
) -> AsyncIterator[AiohttpTransport]:
    """A transport that closes its connections at the end."""
    # Certificates are read from disk, which must not hold up the event loop.
    context = await asyncio.to_thread(_tls_context, tls)
    transport = AiohttpTransport(Judging(resolve, reach), limits, context)
    try:
        yield transport
    finally:
        await transport.close()


def _tls_context(tls: Tls) -> ssl.SSLContext | bool:
    if not tls.verify:
        return False
    if tls.ca_file is None:
        return True
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(tls.ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConnectionUnusable(f"ca_file {tls.ca_file} cannot be used: {exc}") from None
    return context
