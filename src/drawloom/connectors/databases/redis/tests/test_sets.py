"""Sets: each member is there once."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind


async def test_members_are_added_found_and_removed(db):
    key = db.key("s")
    assert await db("set_add", key=key, members=["a", "b", "a"]) == {"added": 2}
    assert await db("set_add", key=key, members=["b", "c"]) == {"added": 1}
    assert await db("set_contains", key=key, members=["c", "x"]) == {"contains": [True, False]}
    assert await db("set_size", key=key) == {"count": 3}
    assert sorted((await db("set_members", key=key))["members"]) == ["a", "b", "c"]
    assert await db("set_remove", key=key, members=["a", "x"]) == {"removed": 1}
    assert await db("set_members", key=db.key("no")) == {"members": []}


async def test_sets_are_combined(db):
    a, b, c = map(db.key, "abc")
    await db("set_add", key=a, members=[1, 2, 3], encoding="json")
    await db("set_add", key=b, members=[2, 3, 4], encoding="json")
    for how, members in [("union", [1, 2, 3, 4]), ("intersection", [2, 3]), ("difference", [1])]:
        found = await db("set_combine", how=how, keys=[a, b], encoding="json")
        assert sorted(found["members"]) == members
        for _ in "12":
            kept = await db("set_combine_into", target=c, how=how, keys=[a, b])
            assert kept == {"count": len(members)}
        assert sorted((await db("set_members", key=c, encoding="json"))["members"]) == members
    failure = await db.failure("set_combine_into", target=b, how="difference", keys=[a, b])
    assert failure.kind is FailureKind.INVALID


@pytest.mark.parametrize("settings", [{"max_items": 3}])
async def test_what_is_too_large_is_an_error_that_names_the_setting(db):
    a, b = db.key("a"), db.key("b")
    await db("set_add", key=a, members=list("abcd"))
    await db("set_add", key=b, members=list("ab"))
    assert len((await db("set_combine", how="intersection", keys=[a, b]))["members"]) == 2
    assert (await db("set_combine", how="difference", keys=[b, a]))["members"] == []
    for tool, given in [
        ("set_members", {"key": a}),
        ("set_combine", {"how": "union", "keys": [a, b]}),
        ("set_combine", {"how": "difference", "keys": [a, b]}),
    ]:
        failure = await db.failure(tool, **given)
        assert failure.kind is FailureKind.INVALID
        assert "max_items is 3" in failure.message


@pytest.mark.parametrize(("count", "batch"), [(20, 7), (3_000, 100)])
async def test_scan_reads_every_member(db, redis_server, count, batch):
    members = {f"m{number}" for number in range(count)}
    redis_server.ask("SADD", db.key("s"), *members)
    chunks = await db.chunks("set_scan", batch, key=db.key("s"))
    assert {member for chunk in chunks for member in chunk} == members
    assert await db.chunks("set_scan", batch, key=db.key("s"), match="m1") == [["m1"]]
