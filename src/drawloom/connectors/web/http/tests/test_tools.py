"""Single requests, against a real server."""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, b64encode
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from drawloom.connectors.web.http import connector
from drawloom.errors import FailureKind, ToolError, ValueInvalid
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked

TOOLS = connector.tools
BINARY = bytes(range(256)) + os.urandom(5_000)


async def empty(request: web.Request) -> web.Response:
    return web.Response()


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


# --- what is sent


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_sent(lab: Any, method: str) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    answer = await call("request", client, method=method, path="/x")
    assert (service.last.method, answer["status"]) == (method, 200)


@pytest.mark.parametrize(
    ("tool", "method"),
    [("get", "HEAD"), ("get", "OPTIONS"), ("put", "PUT"), ("put", "DELETE")],
)
async def test_tools_send_their_methods(lab: Any, tool: str, method: str) -> None:
    service = await lab.service(empty)
    await call(tool, await lab.client(service.url), method=method)
    assert service.last.method == method


async def test_a_tool_takes_no_method_of_another_effect() -> None:
    for tool, method in (("get", "POST"), ("put", "POST"), ("put", "PATCH")):
        allowed = TOOLS[f"http.{tool}"].input_schema["properties"]["method"]["enum"]
        assert method not in allowed


async def test_path_and_query_go_below_the_base(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(f"{service.url}/v1/")
    query = {"q": "a&b ü", "n": 7, "x": 0.5, "yes": True, "tag": ["a", "b"]}
    answer = await call("get", client, path="/orders/7", query=query)
    assert service.last.path == "/v1/orders/7"
    pairs = parse_qsl(service.last.rel_url.raw_query_string)
    assert pairs == [
        ("q", "a&b ü"), ("n", "7"), ("x", "0.5"), ("yes", "true"), ("tag", "a"), ("tag", "b"),
    ]  # fmt: skip
    assert answer["url"].startswith(f"{service.url}/v1/orders/7?q=a%26b")


@pytest.mark.parametrize(
    "path",
    ["//evil.test/x", "https://evil.test", "/..", "/a/%2e%2e/b", "\\\\evil", "/a\r\nX: y", "/x?y"],
)
async def test_paths_cannot_leave(lab: Any, path: str) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    for tool in ("get", "put", "request", "pages"):
        failure = await failing(tool, client, path=path)
        assert failure.kind is FailureKind.INVALID
    assert service.requests == []


async def test_headers_cannot_smuggle(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    for headers in ({"X-A": "1\r\nX-B: 2"}, {"X-A\n": "1"}, {"Host": "evil.test"}):
        failure = await failing("get", client, headers=headers)
        assert failure.kind is FailureKind.INVALID
    assert service.requests == []


async def test_a_json_body(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    for value in ({"a": [1, 2.5, None, "ü"]}, None, [], "text", 0, False):
        await call("request", client, body={"json": value})
        assert service.last.content_type == "application/json"
        assert await service.last.json() == value


async def test_a_form_body(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    await call("request", client, body={"form": {"a": "x&y=z", "b": [1, True], "c": "ü+"}})
    assert service.last.content_type == "application/x-www-form-urlencoded"
    found = await service.last.post()
    assert list(found.items()) == [("a", "x&y=z"), ("b", "1"), ("b", "true"), ("c", "ü+")]


async def test_a_text_body(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    await call("put", client, body={"text": "grüße\r\n"})
    assert service.last.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert service.bodies[-1] == "grüße\r\n".encode()


async def test_a_binary_body_is_exact(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    body = {"base64": b64encode(BINARY).decode()}
    await call("put", client, body=body, headers={"content-type": "image/png"})
    assert service.bodies[-1] == BINARY
    assert service.last.headers.getall("Content-Type") == ["image/png"]


async def test_a_multipart_body_is_exact(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    parts = [
        {"name": "note", "text": "grüße"},
        {"name": "data", "json": {"a": 1}},
        {"name": "file", "base64": b64encode(BINARY).decode(), "filename": 'a"b\r\nX: y.png'},
        {"name": "typed", "text": "<a/>", "filename": "a.xml", "content_type": "text/xml"},
        {"name": "boundary", "text": "--drawloom-\r\n--drawloom-\r\n"},
    ]
    await call("request", client, body={"multipart": parts})
    # Read by another implementation than the one that may share our mistakes.
    head = f"Content-Type: {service.last.headers['Content-Type']}\r\n\r\n".encode()
    arrived: Any = message_from_bytes(head + service.bodies[-1]).get_payload()
    contents = [part.get_payload(decode=True) for part in arrived]
    assert contents == [
        "grüße".encode(), b'{"a":1}', BINARY, b"<a/>", b"--drawloom-\r\n--drawloom-\r\n",
    ]  # fmt: skip
    names = [p.get_param("name", header="content-disposition") for p in arrived]
    assert names == ["note", "data", "file", "typed", "boundary"]
    assert arrived[2].get_filename() == "a%22b%0D%0AX: y.png"
    assert [p.get("Content-Type") for p in arrived] == [
        None, "application/json", "application/octet-stream", "text/xml", None,
    ]  # fmt: skip


async def test_a_multipart_body_is_the_same_each_time(lab: Any) -> None:
    """Services that honour idempotency keys compare the bodies."""
    service = await lab.service(empty)
    client = await lab.client(service.url)
    for _ in range(2):
        await call("request", client, body={"multipart": [{"name": "a", "text": "b"}]})
    assert service.bodies[0] == service.bodies[1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"base64": "not base64!"}, "not base64"),
        ({"multipart": []}, "at least one part"),
        ({"multipart": [{"name": "a"}]}, "body/multipart/0: give exactly one"),
        ({"multipart": [{"name": "a", "text": "b", "base64": ""}]}, "exactly one"),
        ({"multipart": [{"name": "a", "text": "b", "content_type": "a\r\nb"}]}, "content_type"),
    ],
)
async def test_bodies_that_cannot_be_sent(lab: Any, body: Any, said: str) -> None:
    service = await lab.service(empty)
    failure = await failing("request", await lab.client(service.url), body=body)
    assert failure.kind is FailureKind.INVALID
    assert said in failure.message
    assert service.requests == []


@pytest.mark.parametrize("body", [{}, {"text": "a", "json": 1}])
async def test_exactly_one_body_is_given(lab: Any, body: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    with pytest.raises(ToolError, match="exactly one of json, form, multipart"):
        await TOOLS["http.request"](client, body=body)
    with pytest.raises(Exception, match=r"anyOf|schemas"):  # the schema says so, too
        await call("request", client, body=body)
    assert service.requests == []


async def test_the_key_of_the_engine_is_sent(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    context = Context(key="run-1/step")
    await call("request_keyed", client, context=context, body={"json": 1})
    assert service.last.headers["Idempotency-Key"] == "run-1/step"
    await call("request_keyed", client, context=context, key_header="X-Request-Id")
    assert service.last.headers["X-Request-Id"] == "run-1/step"
    assert "Idempotency-Key" not in service.last.headers


async def test_a_keyed_request_needs_its_key(lab: Any) -> None:
    service = await lab.service(empty)
    client = await lab.client(service.url)
    failure = await failing("request_keyed", client, context=Context())
    assert "no idempotency key" in failure.message
    headers = {"idempotency-key": "mine"}
    failure = await failing("request_keyed", client, context=Context(key="k"), headers=headers)
    assert "the engine's key" in failure.message
    assert service.requests == []


def test_effects_say_what_may_be_repeated() -> None:
    assert {name: str(tool.effect) for name, tool in TOOLS.items()} == {
        "http.get": "read",
        "http.put": "idempotent",
        "http.request": "once",
        "http.request_keyed": "keyed",
        "http.pages": "read",
    }


# --- what comes back


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


# --- failures

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
