"""Lists in pages: every kind, their ends, and services that never end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from drawloom.connectors.web.http import connector
from drawloom.connectors.web.http.links import next_link
from drawloom.connectors.web.http.pointers import ABSENT, at_pointer
from drawloom.errors import FailureKind, ToolError
from drawloom.sdk.contract import call_checked

ROWS = [{"id": n} for n in range(25)]
SIZE = 10


async def pages(client: Any, **arguments: Any) -> Any:
    return await call_checked(connector.tools["http.pages"], client, **arguments)


def sliced(request: web.Request, number: int) -> list[Any]:
    return ROWS[number * SIZE : (number + 1) * SIZE]


def more(number: int) -> bool:
    return (number + 1) * SIZE < len(ROWS)


async def by_link(request: web.Request) -> web.Response:
    number = int(request.query.get("page", 0))
    response = web.json_response(sliced(request, number))
    if more(number):
        response.headers.add(
            "Link", f'</other>; rel="prev", <?page={number + 1}>; rel="last next"'
        )
    return response


async def by_next(request: web.Request) -> web.Response:
    number = int(request.query.get("page", 0))
    link = f"{request.url.origin()}/items?page={number + 1}" if more(number) else None
    return web.json_response({"data": {"rows": sliced(request, number)}, "paging": {"next": link}})


async def by_cursor(request: web.Request) -> web.Response:
    number = int(request.query.get("after", "c0")[1:])
    cursor = f"c{number + 1}" if more(number) else ""
    return web.json_response({"rows": sliced(request, number), "cursor": cursor})


async def by_page(request: web.Request) -> web.Response:
    return web.json_response(sliced(request, int(request.query["page"]) - 1))


async def by_offset(request: web.Request) -> web.Response:
    start = int(request.query["skip"])
    return web.json_response(ROWS[start : start + SIZE])


MODES: dict[str, tuple[Any, dict[str, Any], int]] = {
    "link": (by_link, {}, 3),
    "next": (by_next, {"items": "/data/rows", "at": "/paging/next"}, 3),
    "cursor": (by_cursor, {"items": "/rows", "at": "/cursor", "parameter": "after"}, 3),
    "page": (by_page, {}, 4),
    "offset": (by_offset, {"parameter": "skip"}, 4),
}


@pytest.mark.parametrize("by", MODES)
async def test_all_items_come_once_and_in_order(lab: Any, by: str) -> None:
    answer, arguments, reads = MODES[by]
    service = await lab.service(answer)
    client = await lab.client(service.url)
    found = await pages(client, path="/items", by=by, query={"sort": "id"}, **arguments)
    assert found == {"items": ROWS, "count": 25, "pages": reads, "truncated": False}
    assert service.requests[0].query["sort"] == "id"


@pytest.mark.parametrize("by", ["page", "offset"])
async def test_a_known_size_saves_the_empty_page(lab: Any, by: str) -> None:
    answer, arguments, _ = MODES[by]
    service = await lab.service(answer)
    found = await pages(await lab.client(service.url), by=by, size=SIZE, **arguments)
    assert (found["count"], found["pages"]) == (25, 3)


@pytest.mark.parametrize("by", MODES)
async def test_a_limit_is_honest(lab: Any, by: str) -> None:
    answer, arguments, _ = MODES[by]
    service = await lab.service(answer)
    client = await lab.client(service.url)
    found = await pages(client, by=by, limit=2, **arguments)
    assert found == {"items": ROWS[:20], "count": 20, "pages": 2, "truncated": True}
    assert len(service.requests) == 2
    found = await pages(client, by=by, limit=4, **arguments)
    assert (found["count"], found["truncated"]) == (25, False)


async def test_pages_may_begin_anywhere(lab: Any) -> None:
    service = await lab.service(by_page)
    found = await pages(await lab.client(service.url), by="page", start=3)
    assert found["items"] == ROWS[20:]


async def test_a_cursor_that_repeats_is_an_error(lab: Any) -> None:
    async def circle(request: web.Request) -> web.Response:
        after = {"": "a", "a": "b", "b": "a"}[request.query.get("cursor", "")]
        return web.json_response({"rows": [{"after": after}], "cursor": after})

    service = await lab.service(circle)
    with pytest.raises(ToolError, match=r"page 3 leads back to .*cursor=a.*circle"):
        await pages(await lab.client(service.url), by="cursor", items="/rows", at="/cursor")
    assert len(service.requests) == 3


async def test_a_link_to_itself_is_an_error(lab: Any) -> None:
    async def itself(request: web.Request) -> web.Response:
        return web.json_response([1], headers={"Link": "<>; rel=next"})

    service = await lab.service(itself)
    with pytest.raises(ToolError, match="circle"):
        await pages(await lab.client(service.url), path="/x")
    assert len(service.requests) == 1


async def test_a_service_that_ignores_the_parameter_is_an_error(lab: Any) -> None:
    async def same(request: web.Request) -> web.Response:
        return web.json_response(ROWS[:2])

    service = await lab.service(same)
    with pytest.raises(ToolError, match="page 2 is the page before once more"):
        await pages(await lab.client(service.url), by="page", parameter="p")


@pytest.mark.parametrize("link", ["https://evil.test/x", "//evil.test/x", "http://127.0.0.1:9/x"])
@pytest.mark.parametrize("by", ["link", "next"])
async def test_a_link_that_leaves_is_denied(lab: Any, link: str, by: str) -> None:
    async def lead(request: web.Request) -> web.Response:
        headers = {"Link": f"<{link}>; rel=next"}
        return web.json_response({"rows": [1], "next": link}, headers=headers)

    service = await lab.service(lead)
    with pytest.raises(ToolError, match="never leaves its origin") as caught:
        await pages(await lab.client(service.url), by=by, items="/rows")
    assert caught.value.failure.kind is FailureKind.DENIED


async def test_a_key_that_comes_back_in_a_link_is_not_sent_twice(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")

    async def echo(request: web.Request) -> web.Response:
        link = f"/x?page=2&key={request.query['key']}"
        end = "page" in request.query
        return web.json_response([1], headers={} if end else {"Link": f"<{link}>; rel=next"})

    service = await lab.service(echo)
    auth = {"type": "api_key", "key": {"env": "TOKEN"}, "in": "query", "name": "key"}
    found = await pages(await lab.client(service.url, auth=auth))
    assert found["count"] == 2
    assert service.last.query.getall("key") == ["s3cret"]


async def test_all_pages_together_are_bounded(lab: Any) -> None:
    async def endless(request: web.Request) -> web.Response:
        number = int(request.query["page"])
        return web.json_response([{"n": number, "text": "x" * 1_000}])

    service = await lab.service(endless)
    client = await lab.client(service.url, max_bytes=10_000)
    with pytest.raises(ToolError, match=r"over the connection's max_bytes \(10000\)"):
        await pages(client, by="page")
    assert len(service.requests) == 10


@pytest.mark.parametrize(
    ("body", "items", "said"),
    [
        ({"rows": 1}, "/rows", "no list at '/rows'"),
        ({"rows": []}, "", "no list at ''"),
        ({"data": []}, "/rows", "no list at '/rows'"),
    ],
)
async def test_items_must_be_a_list(lab: Any, body: Any, items: str, said: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(body)

    service = await lab.service(answer)
    with pytest.raises(ToolError, match=said):
        await pages(await lab.client(service.url), items=items)


@pytest.mark.parametrize("cursor", [True, {"a": 1}, [1]])
async def test_a_cursor_must_be_text_or_number(lab: Any, cursor: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps({"rows": [1], "next": cursor}))

    service = await lab.service(answer)
    with pytest.raises(ToolError, match="no text but"):
        await pages(await lab.client(service.url), by="cursor", items="/rows")


async def test_a_failure_on_the_way_is_the_failure_of_all(lab: Any) -> None:
    async def flaky(request: web.Request) -> web.Response:
        if request.query["page"] == "2":
            return web.Response(status=429, headers={"Retry-After": "5"})
        return web.json_response([{"a": 1}])

    service = await lab.service(flaky)
    with pytest.raises(ToolError) as caught:
        await pages(await lab.client(service.url), by="page")
    assert caught.value.failure.kind is FailureKind.THROTTLED
    assert caught.value.failure.retry_after == 5.0


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ("<https://a.test/2>; rel=next", "https://a.test/2"),
        ('</2>; rel="next"', "/2"),
        ('</2>; title="a, <b>; rel=x"; rel="prev next"', "/2"),
        ('</1>; rel=prev, </2>; REL="NEXT"', "/2"),
        ('</2>;rel=next;rel=prev', "/2"),
        ('</2>; rel=prev; rel=next', None),
        ('</2>; title="\\"quoted\\""; rel=next', "/2"),
        ("</2>; flag; rel=next", "/2"),
        ("</2>; rel=nextish", None),
        ("", None),
        ("no link at all; rel=next", None),
    ],
)  # fmt: skip
def test_link_headers(header: str, link: str | None) -> None:
    assert next_link([header]) == link


DOCUMENT = {"a": {"": 1, "/": 2, "~": 3, "0": 4}, "l": [10, [20]], "n": None}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT), ("/a/", 1), ("/a/~1", 2), ("/a/~0", 3), ("/a/0", 4), ("/l/0", 10),
        ("/l/1/0", 20), ("/n", None), ("/l/2", ABSENT), ("/l/-", ABSENT), ("/l/01", ABSENT),
        ("/n/x", ABSENT), ("/b", ABSENT), ("/l/00", ABSENT),
    ],
)  # fmt: skip
def test_pointers(pointer: str, value: Any) -> None:
    assert at_pointer(DOCUMENT, pointer) is value or at_pointer(DOCUMENT, pointer) == value
