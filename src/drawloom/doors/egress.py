"""The door to the network: a name is resolved once, and every address is judged."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from drawloom.doors.addresses import Reach, literal, refusal
from drawloom.doors.client import Credential, HttpClient, Limits, Tls
from drawloom.doors.origins import Base
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError, invalid

# Gives the addresses of a host, as text. A parameter, so that tests and
# deployments can bring their own.
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]


async def system_resolve(host: str, port: int) -> list[str]:
    """Every address of *host* that the system's resolver knows, in its order."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def judge(
    host: str, port: int, reach: Reach = Reach.PUBLIC, *, resolve: Resolve = system_resolve
) -> list[tuple[str, int]]:
    """The addresses of *host* that may be connected to, as (IP address, port).

    Connect to one of these, never to the name again: a second resolution may
    give another answer (DNS rebinding). Raises `ToolError`: denied where no
    address may be reached, transient (harmless) where the name is not found.
    """
    addresses = [host] if literal(host) else await _resolved(host, port, resolve)
    judged = {address: refusal(address, reach) for address in addresses}
    allowed = [(address, port) for address, why in judged.items() if why is None]
    if not allowed:
        raise ToolError(_refused(host, {a: why for a, why in judged.items() if why}))
    return allowed


async def _resolved(host: str, port: int, resolve: Resolve) -> list[str]:
    try:
        found = await resolve(host, port)
    except UnicodeError:
        raise invalid(f"{host!r} is not a host name") from None
    except OSError as exc:
        raise ToolError(_not_found(host, exc.strerror or str(exc))) from None
    if not found:
        raise ToolError(_not_found(host, "it has no address"))
    return found


def _not_found(host: str, why: str) -> Failure:
    message = f"cannot resolve {host!r}: {why}; check the address of the connection"
    return Failure(FailureKind.TRANSIENT, message, harmless=True)


def _refused(host: str, why: dict[str, str]) -> Failure:
    said = ", ".join(f"{address} ({name})" for address, name in why.items())
    message = (
        f"{host!r} may not be reached: {said}. `network: private` in the connection opens "
        "loopback and private networks; link-local and metadata addresses stay closed"
    )
    return Failure(FailureKind.DENIED, message, details={"refused": why}, harmless=True)


@dataclass(frozen=True, slots=True)
class Egress:
    """The network door of one engine. `widest` bounds what a connection may ask for."""

    resolve: Resolve = system_resolve
    widest: Reach = Reach.PRIVATE

    async def judge(
        self, host: str, port: int, reach: Reach = Reach.PUBLIC
    ) -> list[tuple[str, int]]:
        """As the function `judge`, for drivers that open their own sockets."""
        return await judge(host, port, self._bounded(reach), resolve=self.resolve)

    def _bounded(self, reach: Reach) -> Reach:
        return reach if self.widest is Reach.PRIVATE else Reach.PUBLIC

    @asynccontextmanager
    async def http(
        self,
        base_url: str,
        *,
        reach: Reach = Reach.PUBLIC,
        credential: Credential | None = None,
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> AsyncIterator[HttpClient]:
        """Open a client bound to the origin of *base_url*.

        Raises `ConnectionUnusable` where the URL or the TLS settings are wrong,
        or aiohttp is not installed.
        """
        base = Base.parse(base_url)
        try:
            from drawloom.doors.transport import open_transport
        except ImportError as exc:
            raise ConnectionUnusable(
                f"HTTP needs {exc.name}: install drawloom[http] and try again"
            ) from None
        chosen, bounded = limits or Limits(), self._bounded(reach)
        async with open_transport(self.resolve, bounded, chosen, tls or Tls()) as transport:
            yield HttpClient(base, transport, credential or Credential(), chosen)
