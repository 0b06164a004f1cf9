"""Runs over HTTP: started, followed, answered, and never lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.server.conftest import Served

from drawloom.access.principal import Role
from drawloom.project import Project, connecting


async def ended(served: Served, run: str) -> Any:
    """The run, once it is over or waits."""
    await served.studio.engine.wait(run)
    await served.studio.engine.flush()
    return (await served("GET", f"/runs/{run}")).json


async def test_a_run_is_started_and_looked_at(served: Served) -> None:
    started = await served(
        "POST", "/runs", Role.RUNNER, json={"chain": "hello", "input": {"least": 50}}
    )
    assert (started.status, started.headers["Location"]) == (201, f"/runs/{started.json['run']}")
    found = await ended(served, started.json["run"])
    assert found["status"] == "succeeded"
    assert found["output"] == {"greetings": ["Tea sold for 55.00: well done!"]}
    assert found["steps"]["totals"]["status"] == "succeeded"
    events = (await served("GET", f"/runs/{started.json['run']}/events")).json["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


async def test_a_start_with_a_key_happens_once(served: Served) -> None:
    how = {"headers": {"Idempotency-Key": "k"}, "json": {"chain": "hello"}}
    both = await asyncio.gather(*(served("POST", "/runs", **how) for _ in range(2)))
    assert both[0].json == both[1].json
    other = {**how, "json": {"chain": "hello", "input": {"least": 1}}}
    assert (await served("POST", "/runs", **other)).status == 422


async def test_what_cannot_be_started_says_why(served: Served) -> None:
    unknown = await served("POST", "/runs", json={"chain": "helo"})
    assert (unknown.status, unknown.code) == (404, "missing")
    assert "hello" in unknown.json["detail"]
    wrong = await served("POST", "/runs", json={"chain": "hello", "input": {"least": "much"}})
    assert (wrong.status, wrong.code, wrong.json["pointer"]) == (422, "invalid", "/least")
    (served.studio.project.folder / "bad.yaml").write_text(
        "chain: bad\nsteps: {a: {use: my.nothing}}\n"
    )
    bad = await served("POST", "/runs", json={"chain": "bad"})
    assert bad.status == 422
    assert bad.json["findings"][0]["line"] == 2
    bound = await served(
        "POST", "/runs", json={"chain": "hello", "bindings": {"db": "sqlite:path=x"}}
    )
    assert bound.status == 404, "no connection is made from what comes over HTTP"


async def test_runs_are_listed_in_pages(served: Served) -> None:
    runs = [(await served("POST", "/runs", json={"chain": "hello"})).json["run"] for _ in range(5)]
    for run in runs:
        await ended(served, run)
    found, cursor = [], ""
    while cursor is not None:
        page = (await served("GET", f"/runs?limit=2{cursor}")).json
        found += [one["run"] for one in page["runs"]]
        cursor = None if page["next"] is None else f"&before={page['next']}"
    assert found == runs[::-1]
    assert (await served("GET", "/runs?status=failed")).json == {"runs": [], "next": None}


async def test_a_run_is_answered_signalled_and_over(served: Served) -> None:
    started = await served("POST", "/runs", json={"chain": "waiting"})
    assert started.status == 201, started.text
    run = started.json["run"]
    assert (await ended(served, run))["status"] == "waiting"
    told = await served("POST", f"/runs/{run}/answers", json={"step": "ask", "approve": True})
    assert told.status == 202, told.text
    sent = await served("POST", f"/runs/{run}/signals", json={"name": "go", "payload": {"n": 1}})
    assert sent.status == 202, sent.text
    await served.studio.engine.outcome(run)
    await served.studio.engine.flush()
    assert (await served("GET", f"/runs/{run}")).json["status"] == "succeeded"
    for path, body in (("cancel", {}), ("signals", {"name": "go"})):
        again = await served("POST", f"/runs/{run}/{path}", json=body)
        assert (again.status, again.code) == (409, "run-over")


async def test_nobody_answers_for_another(served: Served) -> None:
    run = (await served("POST", "/runs", json={"chain": "waiting"})).json["run"]
    await ended(served, run)
    told = await served(
        "POST", f"/runs/{run}/answers", Role.ADMIN, json={"step": "ask", "approve": True}
    )
    assert (told.status, "admin" in told.json["detail"]) == (422, True)


async def test_a_run_is_cancelled(served: Served) -> None:
    run = (await served("POST", "/runs", json={"chain": "slow"})).json["run"]
    assert (await served("POST", f"/runs/{run}/cancel", json={"reason": "enough"})).status == 202
    await served.studio.engine.outcome(run)
    await served.studio.engine.flush()
    assert (await served("GET", f"/runs/{run}")).json["status"] == "cancelled"


async def heard(served: Served, run: str, last: int = 0, until: str = "succeeded") -> list[Any]:
    """The events of the live stream, until the run has that status."""
    headers = {
        "Authorization": f"Bearer {await served.token(Role.OWNER)}",
        "Last-Event-ID": str(last),
    }
    found: list[Any] = []
    async with served.session.get(f"{served.url}/runs/{run}/live", headers=headers) as got:
        assert got.headers["Content-Type"].startswith("text/event-stream")
        async for block in blocks(got):
            found.append(block)
            if block.get("event") == "run" and block["data"]["status"] == until:
                return found
    return found


async def blocks(got: Any) -> Any:
    block: dict[str, Any] = {}
    async for line in got.content:
        name, _, rest = line.decode().rstrip("\n").partition(":")
        if not name and block:
            yield block
            block = {}
        elif name:
            block[name] = json.loads(rest) if name == "data" else rest.strip()


async def test_a_run_is_followed_and_taken_up_again(served: Served) -> None:
    run = (await served("POST", "/runs", json={"chain": "waiting"})).json["run"]
    first = await heard(served, run, until="waiting")
    seen = int([block["id"] for block in first if "id" in block][-1])
    following = asyncio.create_task(heard(served, run, seen))
    while not served.app.state.live.count:
        await asyncio.wait([following], timeout=0)
    await served("POST", f"/runs/{run}/answers", json={"step": "ask", "approve": True})
    await served("POST", f"/runs/{run}/signals", json={"name": "go"})
    rest = await following
    ids = [int(block["id"]) for block in (*first, *rest) if "id" in block]
    assert ids == list(range(1, len(ids) + 1)), "each event once, in order"
    assert rest[-1]["data"]["status"] == "succeeded"
    while served.app.state.live.count:
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0))])


async def test_a_run_that_is_not_there_is_not_followed(served: Served) -> None:
    assert (await served("GET", "/runs/nope/live")).status == 404


async def test_who_follows_is_let_go_when_the_server_ends(served: Served) -> None:
    run = (await served("POST", "/runs", json={"chain": "waiting"})).json["run"]
    following = asyncio.create_task(heard(served, run, until="never"))
    while not served.app.state.live.count:
        await asyncio.wait([following], timeout=0)
    served.app.state.live.stop()
    assert (await following)[-1]["data"]["status"] == "waiting"


async def test_who_may_no_longer_is_told_no_more(served: Served) -> None:
    run = (await served("POST", "/runs", json={"chain": "waiting"})).json["run"]
    await ended(served, run)
    headers = {"Authorization": f"Bearer {await served.token(Role.OWNER)}"}
    told: list[str] = []
    async with served.session.get(f"{served.url}/runs/{run}/live", headers=headers) as got:
        async for block in blocks(got):
            if block.get("event") != "run":
                continue
            told.append(block["data"]["status"])
            assert served.owner is not None
            [token] = served.access.tokens.listed(served.owner)
            served.access.tokens.revoke(served.owner, token.id)
            await served.studio.engine.cancel(run)
    assert told == ["waiting"]


async def test_a_connection_that_came_after_the_start_can_be_bound(served: Served) -> None:
    folder = served.studio.project.folder
    text = "chain: tables\nconnections: {shop: sqlite}\nsteps:\n"
    text += '  one: {use: sqlite.query, on: shop, with: {sql: "SELECT 1 AS a"}}\n'
    (folder / "tables.yaml").write_text(text)
    wanted = {"chain": "tables", "bindings": {"shop": "late"}}
    assert (await served("POST", "/runs", json=wanted)).status == 404
    connecting.add(Project.find(folder), "late", "sqlite", {"path": "late.sqlite"}, {})
    started = await served("POST", "/runs", json=wanted)
    assert started.status == 201, started.text
    assert (await ended(served, started.json["run"]))["status"] == "succeeded"
