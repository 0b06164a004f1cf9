"""The requests that the tools would send, told without sending them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drawloom.connectors.web.http.bodies import Body, Fields, encoded_body, pairs
from drawloom.connectors.web.http.tools import get, put, request, request_keyed
from drawloom.sdk.doors import HttpClient
from drawloom.sdk.planning import Touch

_SECRET = re.compile(r"(?i)authorization|cookie|token|secret|password|api-?key|signature")


def _sends(usual: str) -> Callable[..., list[Touch]]:
    """Tells the request of a tool whose method is *usual* unless another is given."""

    def told(
        client: HttpClient,
        method: str = usual,
        path: str = "",
        query: Fields | None = None,
        **more: Any,
    ) -> list[Touch]:
        return _told(client, method, path, query, more)

    return told


for _tool, _usual in ((get, "GET"), (put, "PUT"), (request, "POST"), (request_keyed, "POST")):
    _tool.plan(_sends(_usual))


def _told(
    client: HttpClient, method: str, path: str, query: Fields | None, more: dict[str, Any]
) -> list[Touch]:
    headers: dict[str, str] = dict(more.get("headers") or {})
    body: Body | None = more.get("body")
    content, kind = encoded_body(body)
    if kind is not None and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = kind
    target = client.base.target(path, pairs(_masked_query(query or {}), "query"))
    url = client.redact(f"{client.base.origin}{target}")
    shown = {n: "***" if _SECRET.search(n) else client.redact(v) for n, v in headers.items()}
    size = 0 if content is None else len(content)
    return [Touch("sends", f"{method} {url}", more={"headers": shown, "body_bytes": size})]


def _masked_query(query: Fields) -> Fields:
    return {name: "***" if _SECRET.search(name) else value for name, value in query.items()}
