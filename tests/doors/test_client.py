"""The client: headers, credentials and redirects stay with the origin they belong to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from drawloom.doors import METER, Credential, Egress, Meter
from drawloom.doors.client import Tls
from drawloom.errors import ConnectionUnusable, FailureKind, ToolError

SECRET = "s3cret-7f2a"
CREDENTIAL = Credential(
    headers=(("Authorization", f"Bearer {SECRET}"), ("X-API-Key", SECRET)),
    query=(("api_key", SECRET),),
    plain=(("X-Tenant", "acme"),),
)


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


def redirecting(status: int, location: str) -> Any:
    async def redirect(request: web.Request) -> web.Response:
        if request.path == "/end":
            return web.Response(text=request.method)
        return web.Response(status=status, headers={"Location": location})

    return redirect


async def test_credentials_go_to_the_origin(network: Any) -> None:
    site = await network.serve(hello)
    client = await network.client(site.url, credential=CREDENTIAL)
    answer = await client.send("GET", client.base.target("/x", [("a", "1")]))
    headers = site.seen.headers
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert headers["X-API-Key"] == SECRET
    assert headers["X-Tenant"] == "acme"
    assert site.seen.requests[-1].query_string == f"a=1&api_key={SECRET}"
    assert answer.url == f"{site.url}/x?a=1"


async def test_a_step_may_change_plain_headers_and_not_credentials(network: Any) -> None:
    site = await network.serve(hello)
    client = await network.client(site.url, credential=CREDENTIAL)
    await client.send("GET", "/", headers=[("x-tenant", "other")])
    assert site.seen.headers.getall("X-Tenant") == ["other"]
    with pytest.raises(ToolError, match="'authorization' is set by the connection"):
        await client.send("GET", "/", headers=[("authorization", "Bearer mine")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nX-B: 2"),
        ("X-A", "1\nX-B: 2"),
        ("X-A", "1\r"),
        ("X-A", "\x00"),
        ("X-A", " padded"),
        ("X-A", "\u20ac"),
        ("X-A\r\nX-B", "1"),
        ("X A", "1"),
        ("X:A", "1"),
        ("", "1"),
        ("Host", "evil.test"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "upgrade"),
        ("Accept-Encoding", "br"),
        ("Proxy-Authorization", "Basic x"),
        ("X-Long", "x" * 17_000),
    ],
)
async def test_headers_that_could_smuggle_are_refused(network: Any, name: str, value: str) -> None:
    site = await network.serve(hello)
    client = await network.client(site.url)
    with pytest.raises(ToolError) as caught:
        await client.send("GET", "/", headers=[(name, value)])
    assert caught.value.failure.kind is FailureKind.INVALID
    assert site.seen.requests == []


async def test_redirects_are_answers_unless_followed(network: Any) -> None:
    site = await network.serve(redirecting(302, "/end"))
    client = await network.client(site.url)
    answer = await client.send("GET", "/")
    assert answer.status == 302
    assert len(site.seen.requests) == 1


@pytest.mark.parametrize(
    ("status", "method", "becomes", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (303, "HEAD", "HEAD", b""),
        (302, "PUT", "PUT", b"content"),
        (307, "POST", "POST", b"content"),
        (308, "POST", "POST", b"content"),
    ],
)
async def test_redirects_keep_or_change_the_method(
    network: Any, status: int, method: str, becomes: str, body: bytes
) -> None:
    site = await network.serve(redirecting(status, "/end"))
    client = await network.client(site.url, max_redirects=1)
    sent = None if method == "HEAD" else b"content"
    headers = [("Content-Type", "text/plain")] if sent else []
    answer = await client.send(method, "/", headers=headers, body=sent)
    assert answer.url == f"{site.url}/end"
    assert site.seen.requests[-1].method == becomes
    assert site.seen.bodies[-1] == body
    assert ("Content-Type" in site.seen.headers) is bool(body)


async def test_a_redirect_within_the_origin_keeps_credentials(network: Any) -> None:
    site = await network.serve(redirecting(302, "/end"))
    client = await network.client(site.url, credential=CREDENTIAL, max_redirects=3)
    await client.send("GET", "/")
    assert site.seen.headers["Authorization"] == f"Bearer {SECRET}"


async def test_a_redirect_to_another_origin_loses_every_credential(network: Any) -> None:
    other = await network.serve(hello)
    site = await network.serve(redirecting(302, f"{other.url}/end?x=1"))
    client = await network.client(site.url, credential=CREDENTIAL, max_redirects=3)
    headers = [("X-Session", "abc"), ("Cookie", "id=abc"), ("Accept", "text/plain")]
    answer = await client.send("GET", "/", headers=headers)
    assert answer.url == f"{other.url}/end?x=1"
    assert len(other.seen.requests) == 1
    arrived = other.seen.headers
    assert arrived["Accept"] == "text/plain"
    assert set(arrived) == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
    assert SECRET not in str(other.seen.requests[-1].rel_url)


async def test_a_redirect_back_to_the_origin_gets_no_credentials(network: Any) -> None:
    """Another origin must not choose what is asked for in our name."""
    back: list[str] = []

    async def lead_back(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": back[0]})

    other = await network.serve(lead_back)
    site = await network.serve(redirecting(302, f"{other.url}/"))
    back.append(f"{site.url}/end")
    client = await network.client(site.url, credential=CREDENTIAL, max_redirects=3)
    assert (await client.send("GET", "/")).url == f"{site.url}/end"
    assert "Authorization" in site.seen.requests[0].headers
    assert "Authorization" not in site.seen.requests[1].headers
    assert SECRET not in str(site.seen.requests[1].rel_url)


async def test_a_body_does_not_leave_the_origin(network: Any) -> None:
    other = await network.serve(hello)
    site = await network.serve(redirecting(307, f"{other.url}/"))
    client = await network.client(site.url, max_redirects=3)
    with pytest.raises(ToolError, match="with the body") as caught:
        await client.send("POST", "/", body=b"private")
    assert caught.value.failure.kind is FailureKind.DENIED
    assert other.seen.requests == []


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
    ],
)
async def test_a_redirect_to_a_closed_address_is_denied(network: Any, location: str) -> None:
    site = await network.serve(redirecting(302, location))
    client = await network.client(site.url, max_redirects=3)
    with pytest.raises(ToolError) as caught:
        await client.send("GET", "/")
    assert caught.value.failure.kind is FailureKind.DENIED
    assert len(site.seen.requests) == 1


async def test_each_hop_is_resolved_and_judged(network: Any) -> None:
    site = await network.serve(redirecting(302, "http://inner.test/"))
    answers = {"127.0.0.1": ["127.0.0.1"], "inner.test": ["169.254.169.254"]}

    async def resolve(host: str, port: int) -> list[str]:
        return answers[host]

    client = await network.client(site.url, egress=Egress(resolve=resolve), max_redirects=3)
    with pytest.raises(ToolError, match=r"inner\.test.*cloud metadata"):
        await client.send("GET", "/")


async def test_endless_redirects_end(network: Any) -> None:
    site = await network.serve(redirecting(302, "/again"))
    client = await network.client(site.url, max_redirects=4)
    with pytest.raises(ToolError, match="more than 4 redirects"):
        await client.send("GET", "/")
    assert len(site.seen.requests) == 5


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://a b/", "http://me@x.test/"])
async def test_a_redirect_to_no_url_is_invalid(network: Any, location: str) -> None:
    site = await network.serve(redirecting(302, location))
    client = await network.client(site.url, max_redirects=3)
    with pytest.raises(ToolError) as caught:
        await client.send("GET", "/")
    assert caught.value.failure.kind is FailureKind.INVALID


async def test_no_cookie_is_kept(network: Any) -> None:
    async def cookie(request: web.Request) -> web.Response:
        response = web.Response()
        response.set_cookie("id", "1")
        return response

    site = await network.serve(cookie)
    client = await network.client(site.url)
    await client.send("GET", "/")
    await client.send("GET", "/")
    assert "Cookie" not in site.seen.headers


async def test_proxies_of_the_environment_are_not_used(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    site = await network.serve(hello)
    client = await network.client(site.url)
    assert (await client.send("GET", "/")).status == 200


async def test_a_followed_link_carries_no_credential(network: Any) -> None:
    site = await network.serve(hello)
    client = await network.client(site.url, credential=CREDENTIAL)
    target = client.follow(f"/x?a=1&api_key={SECRET}&b=2", "/x")
    assert target == "/x?a=1&b=2"
    await client.send("GET", target)
    assert site.seen.requests[-1].query_string == f"a=1&b=2&api_key={SECRET}"


def test_credentials_are_never_shown() -> None:
    assert SECRET not in repr(CREDENTIAL)
    shown = CREDENTIAL.redact(f"key {SECRET} and Bearer {SECRET}; acme")
    assert SECRET not in shown
    assert "acme" in shown


async def test_bytes_are_metered(network: Any) -> None:
    async def large(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 50_000)

    site = await network.serve(large)
    client = await network.client(site.url)
    token = METER.set(meter := Meter())
    try:
        await client.send("POST", "/path", body=b"y" * 10_000)
    finally:
        METER.reset(token)
    assert 10_000 < meter.bytes_out < 10_500
    assert 50_000 < meter.bytes_in < 50_500


async def test_concurrent_calls_are_metered_apart(network: Any) -> None:
    async def sized(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.query["n"]))

    site = await network.serve(sized)
    client = await network.client(site.url)

    async def one(size: int) -> int:
        METER.set(meter := Meter())
        await client.send("GET", f"/?n={size}")
        return meter.bytes_in

    sizes = [1_000 * n for n in range(1, 40)]
    counted = await asyncio.gather(*(asyncio.create_task(one(size)) for size in sizes))
    assert all(0 < got - size < 500 for got, size in zip(counted, sizes, strict=True))


@pytest.mark.parametrize("problem", ["missing", "not a certificate"])
async def test_a_wrong_ca_file_is_unusable(tmp_path: Path, problem: str) -> None:
    path = tmp_path / "ca.pem"
    if problem != "missing":
        path.write_text("no certificate")
    with pytest.raises(ConnectionUnusable, match=r"ca\.pem cannot be used"):
        async with Egress().http("https://x.test", tls=Tls(ca_file=path)):
            raise AssertionError("opened")
