"""Single requests, one tool for each effect that a request may have."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from drawloom.connectors.web.http.answers import ReadAs, Response, response
from drawloom.connectors.web.http.bodies import Body, Fields, encoded_body, pairs
from drawloom.connectors.web.http.connection import connector
from drawloom.connectors.web.http.statuses import refuse
from drawloom.sdk import Context, invalid
from drawloom.sdk.doors import HttpClient

Path: TypeAlias = Annotated[str, Field(description="Below the connection's base URL.")]
Query: TypeAlias = Annotated[
    Fields, Field(description="A list gives its parameter several times.")
]
Headers: TypeAlias = dict[str, str]
Accept: TypeAlias = Annotated[
    list[Annotated[int, Field(ge=100, le=599)]],
    Field(description="Statuses outside 2xx that are answers, not failures."),
]
Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@connector.tool(effect="read")
async def get(
    client: HttpClient,
    path: Path = "",
    query: Query | None = None,
    headers: Headers | None = None,
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET",
    accept: Accept | None = None,
    read_as: ReadAs = "auto",
) -> Response:
    """Get what is at a path.

    A status outside 2xx is a failure of its kind, unless *accept* lists it.
    *read_as* says how to read the body where its content type does not.
    """
    return await _request(client, method, path, query, headers, None, accept, read_as)


@connector.tool(effect="idempotent")
async def put(
    client: HttpClient,
    path: Path = "",
    query: Query | None = None,
    headers: Headers | None = None,
    body: Body | None = None,
    method: Literal["PUT", "DELETE"] = "PUT",
    accept: Accept | None = None,
    read_as: ReadAs = "auto",
) -> Response:
    """Put or delete what is at a path; doing it twice is as doing it once.

    A status outside 2xx is a failure of its kind, unless *accept* lists it:
    `accept: [404]` for a DELETE of what may be gone.
    """
    return await _request(client, method, path, query, headers, body, accept, read_as)


@connector.tool(effect="once")
async def request(
    client: HttpClient,
    method: Method = "POST",
    path: Path = "",
    query: Query | None = None,
    headers: Headers | None = None,
    body: Body | None = None,
    accept: Accept | None = None,
    read_as: ReadAs = "auto",
) -> Response:
    """Send any request, such as a POST, that must not be sent twice.

    It goes over a connection of its own, and is only tried again where it is
    certain that nothing happened. Use `http.get` or `http.put` where the
    method allows it, and `http.request_keyed` where the service takes an
    idempotency key.
    """
    return await _request(client, method, path, query, headers, body, accept, read_as, True)


@connector.tool(effect="keyed")
async def request_keyed(
    client: HttpClient,
    context: Context,
    method: Literal["POST", "PATCH", "PUT", "DELETE"] = "POST",
    path: Path = "",
    query: Query | None = None,
    headers: Headers | None = None,
    body: Body | None = None,
    key_header: str = "Idempotency-Key",
    accept: Accept | None = None,
    read_as: ReadAs = "auto",
) -> Response:
    """Send a request with an idempotency key, so that it may be repeated.

    The key is the same for every attempt at this step of this run, and goes
    into the header *key_header* (IETF draft-ietf-httpapi-idempotency-key-header).
    Only for services that honour the key.
    """
    if not context.key:
        raise invalid("there is no idempotency key: call this tool from a chain")
    if key_header.lower() in {name.lower() for name in headers or {}}:
        raise invalid(f"header {key_header!r} is the engine's key: leave it out")
    with_key = {**(headers or {}), key_header: context.key}
    return await _request(client, method, path, query, with_key, body, accept, read_as)


async def _request(
    client: HttpClient,
    method: str,
    path: str,
    query: Fields | None,
    headers: Headers | None,
    body: Body | None,
    accept: list[int] | None,
    read_as: ReadAs,
    fresh: bool = False,
) -> Response:
    content, content_type = encoded_body(body)
    answer = await client.send(
        method,
        client.base.target(path, pairs(query or {}, "query")),
        headers=_with_type(headers or {}, content_type),
        body=content,
        fresh=fresh,
    )
    refuse(client, answer, accept or ())
    return await response(answer, read_as)


def _with_type(headers: Headers, content_type: str | None) -> list[tuple[str, str]]:
    given = list(headers.items())
    if content_type is None or any(name.lower() == "content-type" for name in headers):
        return given
    return [*given, ("Content-Type", content_type)]
