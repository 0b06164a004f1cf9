"""How an HTTP service is reached: its address, who asks, and what a request may cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from drawloom.connectors.web.http.auth import Auth, NoAuth
from drawloom.connectors.web.http.faults import FAULTS
from drawloom.sdk import Connection, Connector, Failure, FailureKind, Secret, ToolError
from drawloom.sdk.doors import Credential, Doors, HttpClient, Limits, Reach, Tls


class HttpConnection(Connection):
    """One origin. Its credentials go nowhere else."""

    base_url: Annotated[
        str, Field(description="https://host, with a port and the beginning of all paths if any.")
    ]
    auth: Auth = NoAuth()
    headers: Annotated[
        dict[str, str | Secret], Field(description="Sent with every request to this origin.")
    ] = Field(default_factory=dict)
    network: Annotated[
        Reach, Field(description="`private` opens loopback and private networks.")
    ] = Reach.PUBLIC
    timeout: Annotated[float, Field(gt=0, le=3600, description="Of a whole request, in s.")] = 30.0
    max_bytes: Annotated[
        int, Field(gt=0, description="The largest body, sent or received, in bytes.")
    ] = 10 * 1024 * 1024
    redirects: Annotated[
        int,
        Field(ge=0, le=20, description="How many are followed; credentials are not taken along."),
    ] = 0
    verify_tls: bool = True
    ca_file: Annotated[
        str | None, Field(description="A certificate authority to trust as well (PEM).")
    ] = None

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[HttpClient]:
        """A client with pooled connections. Raises `ConnectionUnusable`."""
        ca_file = doors.root / self.ca_file if self.ca_file is not None else None
        async with doors.egress.http(
            self.base_url,
            reach=self.network,
            credential=self._credential(),
            limits=Limits(self.timeout, self.max_bytes, self.redirects),
            tls=Tls(self.verify_tls, ca_file),
        ) as client:
            yield client

    async def check(self, client: HttpClient) -> dict[str, Any]:
        """Ask for the base URL. Any answer shows that the service is there; 401 refuses who asks."""
        target = client.base.target("")
        answer = await client.send("HEAD", target)
        if answer.status in (405, 501):  # the service does not know HEAD
            answer = await client.send("GET", target)
        if answer.status == 401:
            raise ToolError(Failure(FailureKind.DENIED, f"{client.base.origin} answers 401"))
        return {
            "status": answer.status,
            "tls": answer.tls,
            "milliseconds": round(answer.seconds * 1000, 1),
            "server": answer.header("server"),
        }

    def _credential(self) -> Credential:
        opened = self.auth.credential()
        kept = [(n, v.open_secret()) for n, v in self.headers.items() if isinstance(v, Secret)]
        plain = [(n, v) for n, v in self.headers.items() if isinstance(v, str)]
        return replace(opened, headers=(*opened.headers, *kept), plain=tuple(plain))


connector = Connector("http", HttpConnection, faults=FAULTS)
