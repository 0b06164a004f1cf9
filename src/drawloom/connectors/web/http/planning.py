"""The requests that the tools would send, told without sending them."""

from __future__ import annotations

import re
from typing import Any

from drawloom.connectors.web.http.bodies import Body, Fields, encoded_body, pairs
from drawloom.connectors.web.http.tools import get, put, request, request_keyed
from drawloom.sdk.doors import HttpClient
from drawloom.sdk.planning import Touch

_SECRET = re.compile(r"(?i)authorization|cookie|token|secret|password|api-?key|signature")


@get.plan
def _get(
    client: HttpClient,
    method: str = "GET",
    path: str = "",
    query: Fields | None = None,
    **more: Any,
) -> list[Touch]:
    return _told(client, method, path, query, more)


@put.plan
def _put(
    client: HttpClient,
    method: str = "PUT",
    path: str = "",
    query: Fields | None = None,
    **more: Any,
) -> list[Touch]:
    return _told(client, method, path, query, more)


@request.plan
@request_keyed.plan
def _request(
    client: HttpClient,
    method: str = "POST",
    path: str = "",
    query: Fields | None = None,
    **more: Any,
) -> list[Touch]:
    return _told(client, method, path, query, more)


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
