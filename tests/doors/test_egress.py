"""The network door: judged addresses, and what a refusal says."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web

from drawloom.doors import Doors, Egress, Reach, judge
from drawloom.errors import ConnectionUnusable, FailureKind, ToolError


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


class Resolver:
    """Gives the next answer each time, and counts how often it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self._answers.pop(0)


async def test_only_allowed_addresses_are_given() -> None:
    resolve = Resolver(["10.0.0.1", "8.8.8.8", "169.254.169.254", "2606:4700::1"])
    found = await judge("mixed.test", 5432, resolve=resolve)
    assert found == [("8.8.8.8", 5432), ("2606:4700::1", 5432)]


async def test_a_host_without_an_allowed_address_is_denied_by_name() -> None:
    resolve = Resolver(["10.0.0.1", "169.254.169.254"])
    with pytest.raises(ToolError) as caught:
        await judge("inner.test", 80, resolve=resolve)
    failure = caught.value.failure
    assert failure.kind is FailureKind.DENIED
    assert failure.harmless
    assert failure.details == {
        "refused": {"10.0.0.1": "private", "169.254.169.254": "cloud metadata"}
    }
    assert "network: private" in failure.message


async def test_an_engine_can_be_closed_to_private_networks() -> None:
    egress = Egress(widest=Reach.PUBLIC)
    with pytest.raises(ToolError, match="loopback"):
        await egress.judge("127.0.0.1", 80, Reach.PRIVATE)
    assert await Egress().judge("127.0.0.1", 80, Reach.PRIVATE) == [("127.0.0.1", 80)]


async def test_an_unknown_name_is_transient_and_harmless() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ToolError, match=r"no-such\.test.*not known") as caught:
        await judge("no-such.test", 80, resolve=unknown)
    assert caught.value.failure.kind is FailureKind.TRANSIENT
    assert caught.value.failure.harmless


async def test_a_name_that_is_no_host_is_invalid() -> None:
    with pytest.raises(ToolError) as caught:
        await judge("a" * 300 + ".test", 80)
    assert caught.value.failure.kind in (FailureKind.INVALID, FailureKind.TRANSIENT)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0x7f000001", "2130706433"])
async def test_a_public_client_does_not_reach_this_machine(network: Any, host: str) -> None:
    site = await network.serve(hello)
    client = await network.client(f"http://{host}:{site.port}", reach=Reach.PUBLIC)
    with pytest.raises(ToolError) as caught:
        await client.send("GET", "/")
    assert caught.value.failure.kind in (FailureKind.DENIED, FailureKind.INVALID)
    assert caught.value.failure.harmless or caught.value.failure.kind is FailureKind.INVALID
    assert site.seen.requests == []


async def test_a_private_client_does(network: Any) -> None:
    site = await network.serve(hello)
    client = await network.client(site.url)
    assert (await client.send("GET", "/")).body == b"hello"


async def test_metadata_stays_closed_to_a_private_client(network: Any) -> None:
    client = await network.client("http://169.254.169.254/latest")
    with pytest.raises(ToolError, match="cloud metadata") as caught:
        await client.send("GET", "/latest/meta-data")
    assert caught.value.failure.kind is FailureKind.DENIED


async def test_one_resolution_serves_judgement_and_connection(network: Any) -> None:
    site = await network.serve(hello)
    resolve = Resolver(["127.0.0.1"], ["169.254.169.254"])
    client = await network.client(
        f"http://service.test:{site.port}", egress=Egress(resolve=resolve)
    )
    answer = await client.send("GET", "/")
    assert answer.status == 200
    assert resolve.asked == 1
    # The name is kept where it belongs, although the address was connected to.
    assert site.seen.headers["Host"] == f"service.test:{site.port}"


async def test_rebinding_is_refused(network: Any) -> None:
    """The second resolution of the name gives an address that may not be reached."""
    site = await network.serve(hello)
    resolve = Resolver(["127.0.0.1"], ["169.254.169.254"])
    egress = Egress(resolve=resolve)
    for attempt in range(2):
        client = await network.client(f"http://service.test:{site.port}", egress=egress)
        if attempt == 0:
            assert (await client.send("GET", "/")).status == 200
            continue
        with pytest.raises(ToolError, match="cloud metadata") as caught:
            await client.send("GET", "/")
        assert caught.value.failure.kind is FailureKind.DENIED
    assert resolve.asked == 2
    assert len(site.seen.requests) == 1


async def test_the_socket_itself_is_locked(network: Any) -> None:
    """Should a resolver's answer ever slip by unjudged, no socket is made for it."""
    from drawloom.doors.transport import Judging

    judging = Judging(Resolver(), Reach.PUBLIC)
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))
    with pytest.raises(PermissionError, match="loopback"):
        judging.socket(info)


async def test_a_refused_connection_is_harmless(network: Any, unused_tcp_port: int) -> None:
    client = await network.client(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ToolError, match=r"(?i)refused|connect call failed") as caught:
        await client.send("POST", "/", body=b"x")
    assert caught.value.failure.kind is FailureKind.TRANSIENT
    assert caught.value.failure.harmless


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_reset_after_sending_is_not_harmless(network: Any, fresh: bool) -> None:
    reached = 0

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    site = await network.serve_bytes(reset)
    client = await network.client(site.url)
    with pytest.raises(ToolError) as caught:
        await client.send("POST", "/", body=b"x", fresh=fresh)
    assert caught.value.failure.kind is FailureKind.TRANSIENT
    assert not caught.value.failure.harmless
    assert reached == 1


async def test_a_fresh_request_is_never_sent_twice(network: Any) -> None:
    """Left alone, aiohttp repeats a PUT whose connection was lost."""
    counts = {False: 0, True: 0}

    for fresh in counts:

        async def close(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fresh: bool = fresh
        ) -> None:
            counts[fresh] += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        site = await network.serve_bytes(close)
        client = await network.client(site.url)
        with pytest.raises(ToolError):
            await client.send("PUT", "/", fresh=fresh)
    assert counts == {False: 2, True: 1}


async def test_a_fresh_request_takes_no_kept_connection(network: Any) -> None:
    ports = []

    async def port(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response()

    site = await network.serve(port)
    client = await network.client(site.url)
    for fresh in (False, False, True, True):
        await client.send("POST", "/", fresh=fresh)
    assert ports[0] == ports[1]
    assert len(set(ports)) == 3


async def test_a_deadline_before_the_answer_says_where_it_was(network: Any) -> None:
    hang = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await hang.wait()
        return web.Response()

    site = await network.serve(wait)
    client = await network.client(site.url, timeout=0.2)
    with pytest.raises(ToolError, match=r"within 0\.2 s \(waiting for the answer\)") as caught:
        await client.send("POST", "/")
    hang.set()
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert not caught.value.failure.harmless


async def test_a_trickle_does_not_stretch_the_deadline(network: Any) -> None:
    """Each byte comes in time, but the whole answer does not."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    site = await network.serve(trickle)
    client = await network.client(site.url, timeout=0.3)
    with pytest.raises(ToolError, match="reading the answer") as caught:
        await client.send("GET", "/")
    assert caught.value.failure.kind is FailureKind.TIMEOUT


async def test_a_deadline_while_resolving_is_harmless(network: Any) -> None:
    async def never(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().create_future()

    client = await network.client("http://slow.test", egress=Egress(resolve=never), timeout=0.1)
    with pytest.raises(ToolError, match="connecting") as caught:
        await client.send("POST", "/")
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert caught.value.failure.harmless


async def test_cancelling_frees_the_connection(network: Any) -> None:
    begun = asyncio.Event()
    hang = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        begun.set()
        if request.path == "/wait":
            await hang.wait()
        return web.Response()

    site = await network.serve(wait)
    client = await network.client(site.url)
    tasks = [asyncio.create_task(client.send("GET", "/wait")) for _ in range(100)]
    await begun.wait()
    for task in tasks:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(d, asyncio.CancelledError) for d in done)
    hang.set()
    # All hundred places of the pool are free again.
    answers = await asyncio.gather(*(client.send("GET", "/") for _ in range(100)))
    assert {a.status for a in answers} == {200}


async def test_a_wrong_base_url_is_unusable() -> None:
    with pytest.raises(ConnectionUnusable, match="must begin with http"):
        async with Egress().http("gopher://x"):
            raise AssertionError("opened")


def test_the_room_is_imported_without_aiohttp() -> None:
    """The network client takes a third of a second to import; most commands need none."""
    code = "import sys, drawloom.sdk.doors; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_missing_extra_is_named() -> None:
    code = """
import asyncio, sys
sys.modules["aiohttp"] = None
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable
async def main():
    try:
        async with Doors().egress.http("http://x.test"):
            pass
    except ConnectionUnusable as exc:
        sys.exit(0 if "install drawloom[http]" in str(exc) else 1)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_doors_are_open_by_default() -> None:
    assert Doors().egress == Egress()
