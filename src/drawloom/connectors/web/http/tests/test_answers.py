"""What comes back, and which failures it means, from a real server."""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, b64encode
from typing import Any

import pytest
from aiohttp import web

from drawloom.connectors.web.http import connector
from drawloom.errors import FailureKind, ValueInvalid
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked

TOOLS = connector.tools
BINARY = bytes(range(256)) + os.urandom(5_000)


def answering(body: bytes, content_type: str | None = None, status: int = 200, **more: str) -> Any:
    async def answer(request: web.Request) -> web.Response:
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if content_type is not None:
            headers["Content-Type"] = content_type
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def call(name: str, client: Any, **arguments: Any) -> Any:
    return await call_checked(TOOLS[f"http.{name}"], client, **arguments)


async def failing(name: str, client: Any, **arguments: Any) -> Any:
    with pytest.raises(Exception) as caught:
        await call(name, client, **arguments)
    return name_fault(connector.faults, caught.value)


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json; charset=utf-8"])
async def test_json_is_read_exactly(lab: Any, kind: str) -> None:
    text = b'{"big": 12345678901234567890, "n": [1, 2.5, null], "t": "\xc3\xbc"}'
    service = await lab.service(answering(text, kind))
    answer = await call("get", await lab.client(service.url))
    assert answer["body_type"] == "json"
    assert answer["body"] == {"big": "12345678901234567890", "n": [1, 2.5, None], "t": "ü"}


@pytest.mark.parametrize("text", [b'{"a": 1, "a": 2}', b"[NaN]", b"{", b'"\\ud800"', b"\xff"])
async def test_json_that_is_none_is_an_error(lab: Any, text: bytes) -> None:
    service = await lab.service(answering(text, "application/json"))
    client = await lab.client(service.url)
    failure = await failing("get", client)
    assert failure.kind is FailureKind.INVALID
    assert service.url in failure.message
    answer = await call("get", client, read_as="base64")
    assert b64decode(answer["body"]) == text


@pytest.mark.parametrize(
    ("body", "kind", "read", "body_type"),
    [
        ("ü".encode("latin-1"), "text/html; charset=latin-1", "ü", "text"),
        ("ü".encode(), "text/plain", "ü", "text"),
        (b"\xef\xbb\xbfx", "text/csv", "x", "text"),
        (b"<a/>", "image/svg+xml", "<a/>", "text"),
        (BINARY, "application/octet-stream", b64encode(BINARY).decode(), "base64"),
        (b"text", "application/pdf", b64encode(b"text").decode(), "base64"),
    ],
)
async def test_other_bodies_are_text_or_base64(
    lab: Any, body: bytes, kind: str, read: str, body_type: str
) -> None:
    service = await lab.service(answering(body, kind))
    answer = await call("get", await lab.client(service.url))
    assert (answer["body"], answer["body_type"]) == (read, body_type)


@pytest.mark.parametrize(
    ("body", "kind"), [(b"\xff\xfe", "text/plain"), (b"x", "text/plain; charset=no-such")]
)
async def test_text_that_is_none_is_an_error(lab: Any, body: bytes, kind: str) -> None:
    service = await lab.service(answering(body, kind))
    failure = await failing("get", await lab.client(service.url))
    assert failure.kind is FailureKind.INVALID


async def test_no_body_is_null(lab: Any) -> None:
    service = await lab.service(answering(b"", "application/json", status=204))
    assert (await call("get", await lab.client(service.url)))["body"] is None


async def test_read_as_decides(lab: Any) -> None:
    service = await lab.service(answering(b"[1]", "text/plain"))
    client = await lab.client(service.url)
    assert (await call("get", client, read_as="json"))["body"] == [1]
    assert (await call("get", client, read_as="text"))["body"] == "[1]"


async def test_headers_are_joined_and_cookies_kept_apart(lab: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        response = web.Response()
        for name, value in [
            ("X-A", "1"),
            ("X-A", "2"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b"),
        ]:
            response.headers.add(name, value)
        return response

    service = await lab.service(answer)
    found = await call("get", await lab.client(service.url))
    assert found["headers"]["x-a"] == "1, 2"
    assert found["cookies"] == ["a=1", "b"]
    assert "set-cookie" not in found["headers"]


async def test_a_large_json_body_does_not_stop_the_others(lab: Any) -> None:
    text = b"[" + b",".join(b'{"id": %d, "name": "row"}' % n for n in range(200_000)) + b"]"
    service = await lab.service(answering(text, "application/json"))
    client = await lab.client(service.url)
    answer = await call("get", client)
    assert len(answer["body"]) == 200_000
    assert answer["body"][-1] == {"id": 199_999, "name": "row"}


KINDS = {
    300: FailureKind.INVALID, 304: FailureKind.INVALID,
    400: FailureKind.INVALID, 401: FailureKind.DENIED, 403: FailureKind.DENIED,
    404: FailureKind.MISSING, 405: FailureKind.INVALID, 408: FailureKind.TIMEOUT,
    409: FailureKind.CONFLICT, 410: FailureKind.MISSING, 412: FailureKind.CONFLICT,
    418: FailureKind.INVALID, 422: FailureKind.INVALID, 425: FailureKind.THROTTLED,
    429: FailureKind.THROTTLED, 451: FailureKind.DENIED,
    500: FailureKind.TRANSIENT, 502: FailureKind.TRANSIENT,
    503: FailureKind.TRANSIENT, 504: FailureKind.TRANSIENT,
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), KINDS.items())
async def test_a_status_is_a_failure_of_its_kind(lab: Any, status: int, kind: FailureKind) -> None:
    body = b"" if status == 304 else b'{"error": "because"}\nmore'
    service = await lab.service(answering(body, "application/json", status))
    failure = await failing("get", await lab.client(service.url), path="/x")
    assert failure.kind is kind
    assert not failure.harmless
    assert failure.details["status"] == status
    assert failure.message.startswith(f"{service.url}/x answered {status}")
    if body:
        assert failure.details["body"] == body.decode()
        assert failure.message.endswith('{"error": "because"}')


async def test_accepted_statuses_are_answers(lab: Any) -> None:
    service = await lab.service(answering(b'{"gone": true}', "application/json", 404))
    client = await lab.client(service.url)
    answer = await call("put", client, method="DELETE", accept=[404])
    assert (answer["status"], answer["body"]) == (404, {"gone": True})
    assert (await failing("put", client, accept=[410])).kind is FailureKind.MISSING


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 0.0),
        (
            {
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
                "Retry_After": "Wed, 21 Oct 2015 07:28:30 GMT",
            },
            30.0,
        ),
        ({"Retry_After": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "-5"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_read_in_both_forms(
    lab: Any, headers: dict[str, str], seconds: float | None
) -> None:
    service = await lab.service(answering(b"", status=429, **headers))
    failure = await failing("get", await lab.client(service.url))
    assert (failure.kind, failure.retry_after) == (FailureKind.THROTTLED, seconds)


async def test_unavailable_with_a_time_is_throttled(lab: Any) -> None:
    service = await lab.service(answering(b"", status=503, Retry_After="3"))
    failure = await failing("request", await lab.client(service.url))
    assert (failure.kind, failure.retry_after) == (FailureKind.THROTTLED, 3.0)


async def test_a_redirect_says_where_to(lab: Any) -> None:
    service = await lab.service(answering(b"", status=301, Location="https://new.test/"))
    failure = await failing("get", await lab.client(service.url))
    assert "https://new.test/" in failure.message
    assert "redirects" in failure.message


async def test_a_failure_shows_the_beginning_of_the_body(lab: Any) -> None:
    for body, shown in ((b"x" * 5_000, "x" * 1_000 + " […]"), (BINARY, "(5256 bytes that are")):
        service = await lab.service(answering(body, status=500))
        failure = await failing("get", await lab.client(service.url))
        assert failure.details["body"].startswith(shown)
        assert len(failure.details["body"]) < 1_100


async def test_a_failure_never_shows_the_credential(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=400, text=f"{request.url} {dict(request.headers)}")

    monkeypatch.setenv("TOKEN", "s3cret/+7f2a")
    service = await lab.service(echo)
    for auth in (
        {"type": "bearer", "token": {"env": "TOKEN"}},
        {"type": "basic", "user": "me", "password": {"env": "TOKEN"}},
        {"type": "api_key", "key": {"env": "TOKEN"}, "in": "query", "name": "k"},
        {"type": "api_key", "key": {"env": "TOKEN"}},
    ):
        client = await lab.client(service.url, auth=auth)
        failure = await failing("get", client, path="/x")
        assert "7f2a" not in repr(failure)
        assert b64encode(b"me:s3cret/+7f2a").decode() not in repr(failure)
        assert "***" in failure.details["body"]


async def test_many_requests_share_a_pool(lab: Any) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"n": int(request.query["n"])})

    service = await lab.service(echo)
    client = await lab.client(service.url)
    answers = await asyncio.gather(*(call("get", client, query={"n": n}) for n in range(500)))
    assert [answer["body"]["n"] for answer in answers] == list(range(500))
    peers = {r.transport.get_extra_info("peername") for r in service.requests if r.transport}
    assert len(peers) <= 100


async def test_value_errors_are_named_invalid() -> None:
    failure = name_fault(connector.faults, ValueInvalid("not JSON"))
    assert failure.kind is FailureKind.INVALID
