"""Single requests, against a real server."""

from __future__ import annotations

import os
from base64 import b64encode
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from drawloom.connectors.web.http import connector
from drawloom.errors import FailureKind, ToolError
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked

TOOLS = connector.tools
BINARY = bytes(range(256)) + os.urandom(5_000)


async def empty(request: web.Request) -> web.Response:
    return web.Response()


async def call(name: str, client: Any, **arguments: Any) -> Any:
    return await call_checked(TOOLS[f"http.{name}"], client, **arguments)


async def failing(name: str, client: Any, **arguments: Any) -> Any:
    with pytest.raises(Exception) as caught:
        await call(name, client, **arguments)
    return name_fault(connector.faults, caught.value)


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
