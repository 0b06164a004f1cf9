"""Bodies: limits before and after decompression, and broken ones."""

from __future__ import annotations

import asyncio
import gzip
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from drawloom.doors import METER, Meter
from drawloom.doors.bodies import read_body
from drawloom.errors import FailureKind, ToolError

RANDOM = os.urandom(300_000)


def raw_deflate(content: bytes) -> bytes:
    packed = zlib.compressobj(wbits=-15)
    return packed.compress(content) + packed.flush()


PACKERS = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
}


async def chunks(content: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def sending(body: bytes, **headers: str) -> Any:
    async def send(request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    return send


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("content", [b"", b"x", RANDOM, b"\x00" * 100_000], ids=len)
@pytest.mark.parametrize("size", [7, 65_536])
async def test_bodies_come_out_exactly(encoding: str, content: bytes, size: int) -> None:
    packed = PACKERS[encoding](content)
    assert await read_body(chunks(packed, size), encoding, 1_000_000) == content


async def test_raw_deflate_is_read_too() -> None:
    assert await read_body(chunks(raw_deflate(RANDOM)), "deflate", 1_000_000) == RANDOM


async def test_several_gzip_members_are_one_body() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")
    for size in (1, 7, 1_000):
        assert await read_body(chunks(packed, size), "gzip", 100) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_stopped_as_it_inflates(encoding: str) -> None:
    """200 MB in 200 kB: refused by name of the limit, in little memory."""
    bomb = PACKERS[encoding](b"\x00" * 200_000_000)
    assert len(bomb) < 250_000
    tracemalloc.start()
    with pytest.raises(ToolError, match="inflates to more than the limit of 1000000 bytes") as got:
        await read_body(chunks(bomb, 65_536), encoding, 1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
    assert got.value.failure.details == {"max_bytes": 1_000_000}


async def test_a_bomb_of_many_members_is_stopped() -> None:
    with pytest.raises(ToolError, match="more than 1000 members"):
        await read_body(chunks(gzip.compress(b"") * 5_000, 65_536), "gzip", 1_000_000)


async def test_a_bomb_from_a_server_is_stopped(network: Any) -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    site = await network.serve(sending(bomb, **{"Content-Encoding": "gzip"}))
    client = await network.client(site.url, max_bytes=1_000_000)
    with pytest.raises(ToolError, match="limit of 1000000 bytes") as caught:
        await client.send("GET", "/")
    assert caught.value.failure.kind is FailureKind.INVALID


async def test_others_run_while_a_bomb_inflates() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await read_body(chunks(gzip.compress(b"\x00" * 20_000_000), 65_536), "gzip", 20_000_000)
    task.cancel()
    assert turns > 50


async def test_an_encoding_that_was_not_asked_for_is_refused(network: Any) -> None:
    site = await network.serve(sending(b"\x00" * 10, **{"Content-Encoding": "br"}))
    client = await network.client(site.url)
    with pytest.raises(ToolError, match="'br'; only gzip, deflate"):
        await client.send("GET", "/")
    assert site.seen.headers.getall("Accept-Encoding") == ["gzip, deflate"]


@pytest.mark.parametrize("cut", [1, 12, 100])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_ends_early_is_no_body(encoding: str, cut: int) -> None:
    packed = PACKERS[encoding](RANDOM[:1_000])[:-cut]
    with pytest.raises(ToolError, match="ends in the middle") as caught:
        await read_body(chunks(packed), encoding, 10_000)
    assert caught.value.failure.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_garbage_is_not_decompressed(encoding: str) -> None:
    with pytest.raises(ToolError, match="cannot be decompressed"):
        await read_body(chunks(b"x" * 100), encoding, 10_000)


async def test_a_length_over_the_limit_is_refused_unread(network: Any) -> None:
    site = await network.serve(sending(b"x" * 100_001))
    client = await network.client(site.url, max_bytes=100_000)
    token = METER.set(meter := Meter())
    try:
        with pytest.raises(ToolError, match="is 100001 bytes, over the limit of 100000"):
            await client.send("GET", "/")
    finally:
        METER.reset(token)
    assert meter.bytes_in < 1_000


async def test_a_stream_over_the_limit_is_cut_off(network: Any) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(RANDOM)

    site = await network.serve(endless)
    client = await network.client(site.url, max_bytes=1_000_000)
    with pytest.raises(ToolError, match="is over the limit of 1000000 bytes"):
        await client.send("GET", "/")


async def test_exactly_the_limit_is_allowed(network: Any) -> None:
    site = await network.serve(sending(RANDOM))
    client = await network.client(site.url, max_bytes=len(RANDOM))
    assert (await client.send("GET", "/")).body == RANDOM


async def test_a_body_to_send_is_limited_too(network: Any) -> None:
    site = await network.serve(sending(b""))
    client = await network.client(site.url, max_bytes=100)
    with pytest.raises(ToolError, match=r"the body is 101 bytes; .* max_bytes is 100"):
        await client.send("POST", "/", body=b"x" * 101)
    assert site.seen.requests == []


async def test_the_answer_to_head_has_no_body(network: Any) -> None:
    site = await network.serve(sending(b"x" * 1_000))
    client = await network.client(site.url, max_bytes=10)
    answer = await client.send("HEAD", "/")
    assert (answer.body, answer.header("content-length")) == (b"", "1000")


async def test_an_answer_that_nothing_has_changed_has_no_body(network: Any) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n")
        await writer.drain()
        writer.close()

    site = await network.serve_bytes(talk)
    client = await network.client(site.url, max_bytes=10)
    answer = await client.send("GET", "/")
    assert (answer.status, answer.body) == (304, b"")


async def test_a_body_that_is_compressed_twice_is_refused(network: Any) -> None:
    async def twice(request: web.Request) -> web.Response:
        response = web.Response(body=gzip.compress(gzip.compress(b"x")))
        response.headers.extend([("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")])
        return response

    site = await network.serve(twice)
    client = await network.client(site.url)
    with pytest.raises(ToolError, match="'gzip, gzip'"):
        await client.send("GET", "/")


RAW = {
    "a body that is shorter than its length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        FailureKind.TRANSIENT,
        "ends in the middle",
    ),
    "chunks without an end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        FailureKind.TRANSIENT,
        "ends in the middle",
    ),
    "a header line over the limit": (
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        FailureKind.INVALID,
        "8192",
    ),
    "too many headers": (
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + b"\r\n",
        FailureKind.INVALID,
        "128|headers",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", FailureKind.INVALID, "not proper HTTP"),
    "nothing": (b"", FailureKind.TRANSIENT, "without an answer"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        FailureKind.INVALID,
        "not proper HTTP",
    ),
}


@pytest.mark.parametrize("case", RAW)
async def test_broken_answers_are_named(network: Any, case: str) -> None:
    content, kind, said = RAW[case]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()
        writer.close()

    site = await network.serve_bytes(talk)
    client = await network.client(site.url)
    with pytest.raises(ToolError, match=said) as caught:
        await client.send("POST", "/")
    assert caught.value.failure.kind is kind
    assert not caught.value.failure.harmless
