"""Sorted sets: members in the order of their scores."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind
from drawloom.sdk import Context

K = FailureKind


def scored(*pairs):
    return [{"member": member, "score": score} for member, score in pairs]


@pytest.fixture
async def z(db):
    members = scored(("a", 1), ("b", 2.5), ("c", 4), ("low", "-Infinity"), ("high", "Infinity"))
    assert await db("sorted_add", key=db.key("z"), members=members) == {"changed": 5}
    return db


async def test_in_the_order_of_places(z):
    found = await z("sorted_range", key=z.key("z"))
    assert found["members"] == scored(
        ("low", "-Infinity"), ("a", 1.0), ("b", 2.5), ("c", 4.0), ("high", "Infinity")
    )
    found = await z("sorted_range", key=z.key("z"), start=0, stop=1, reverse=True)
    assert found["members"] == scored(("high", "Infinity"), ("c", 4.0))
    assert await z("sorted_rank", key=z.key("z"), member="b") == {"rank": 2}
    assert await z("sorted_rank", key=z.key("z"), member="c", reverse=True) == {"rank": 1}
    assert await z("sorted_rank", key=z.key("z"), member="no") == {"rank": None}
    assert await z("sorted_scores", key=z.key("z"), members=["b", "no", "high"]) == {
        "scores": [2.5, None, "Infinity"]
    }


async def by_score(z, **given):
    found = await z("sorted_range_by_score", key=z.key("z"), **given)
    return [one["member"] for one in found["members"]], found["more"]


async def test_in_the_order_of_scores(z):
    assert await by_score(z, least=1, most=4) == (["a", "b", "c"], False)
    assert await by_score(z, least=1, most=4, without_least=True, without_most=True) == (
        ["b"],
        False,
    )
    assert await by_score(z, least=1, most=4, reverse=True, limit=2) == (["c", "b"], True)
    assert await by_score(z, least=1, most=4, limit=3) == (["a", "b", "c"], False)
    assert await by_score(z, offset=3) == (["c", "high"], False)
    assert await z("sorted_count", key=z.key("z"), least=1, most=2.5) == {"count": 2}
    assert await z("sorted_count", key=z.key("z")) == {"count": 5}


async def test_in_the_order_of_names(db):
    await db("sorted_add", key=db.key("n"), members=scored(*((name, 0) for name in "abcd")))

    async def named(**given):
        found = await db("sorted_range_by_name", key=db.key("n"), **given)
        return "".join(found["members"]), found["more"]

    assert await named() == ("abcd", False)
    assert await named(least="b", most="c") == ("bc", False)
    assert await named(least="b", without_least=True) == ("cd", False)
    assert await named(most="c", without_most=True, reverse=True) == ("ba", False)
    assert await named(least="+", limit=2, offset=1) == ("bc", True)


@pytest.mark.parametrize(
    ("only", "given", "kept"),
    [
        ("new", [("a", 9), ("x", 9)], {"a": 1.0, "x": 9.0}),
        ("known", [("a", 9), ("x", 9)], {"a": 9.0, "x": None}),
        ("greater", [("a", 9), ("c", 2), ("x", 9)], {"a": 9.0, "c": 4.0, "x": 9.0}),
        ("less", [("a", 9), ("c", 2), ("x", 9)], {"a": 1.0, "c": 2.0, "x": 9.0}),
    ],
)
async def test_conditions_hold_the_second_time_as_the_first(z, only, given, kept):
    changed = []
    for _ in "12":
        done = await z("sorted_add", key=z.key("z"), members=scored(*given), only=only)
        changed.append(done["changed"])
        found = await z("sorted_scores", key=z.key("z"), members=list(kept))
        assert found["scores"] == list(kept.values())
    assert changed[0] > 0
    assert changed[1] == 0


async def test_a_repeated_call_adds_once(z):
    key = z.key("z")
    assert await z.twice("sorted_incr", key=key, member="b", by=-0.25) == {"score": 2.25}
    assert await z.twice("sorted_incr", key=key, member="new") == {"score": 1.0}
    assert await z.twice("sorted_incr", key=key, member="high", by=5) == {"score": "Infinity"}
    mine = Context(key=z.key("mine"))
    assert await z("sorted_incr", key=key, member="a", context=mine) == {"score": 2.0}
    await z("sorted_incr", key=key, member="a")
    assert await z("sorted_incr", key=key, member="a", context=mine) == {"score": 2.0}


async def test_a_repeated_pop_gives_what_the_first_one_took(z):
    key = z.key("z")
    assert await z.twice("sorted_pop", key=key) == {"members": scored(("low", "-Infinity"))}
    assert await z.twice("sorted_pop", key=key, end="highest", count=2) == {
        "members": scored(("high", "Infinity"), ("c", 4.0))
    }
    assert await z("sorted_remove", key=key, members=["a", "no"]) == {"removed": 1}
    assert await z.twice("sorted_pop", key=key, count=9) == {"members": scored(("b", 2.5))}
    assert await z("sorted_pop", key=key) == {"members": []}


async def test_what_cannot_be_read_is_put_back(db, redis_server):
    redis_server.ask("ZADD", db.key("z"), 1, "a", 2, b"\xff", 3, "b")
    failure = await db.failure("sorted_pop", key=db.key("z"), count=2)
    assert failure.kind is K.INVALID
    kept = redis_server.ask("ZRANGE", db.key("z"), 0, -1, "WITHSCORES")
    assert [tuple(one) for one in kept] == [(b"a", 1.0), (b"\xff", 2.0), (b"b", 3.0)]


@pytest.mark.parametrize("score", [2**53 + 1, True, "1", "NaN", None])
async def test_a_score_that_is_not_exact_is_refused(z, score):
    from drawloom.connectors.databases.redis.values import score_word
    from drawloom.errors import ToolError

    with pytest.raises(ToolError, match="here: a score is a number"):
        score_word(score, "here")


@pytest.mark.parametrize("score", [0.1, 1e-300, 5e-324, 1.7976931348623157e308, 2**53, -0.0])
async def test_a_score_is_exact_both_ways(db, score):
    await db("sorted_add", key=db.key("e"), members=scored(("a", score)))
    found = await db("sorted_scores", key=db.key("e"), members=["a"])
    assert found["scores"] == [score]


async def test_sets_are_combined(z):
    other, into = z.key("o"), z.key("i")
    await z("sorted_add", key=other, members=scored(("a", 10), ("x", 20)))
    given = {"target": into, "keys": [z.key("z"), other]}
    assert await z("sorted_combine_into", how="intersection", **given) == {"count": 1}
    assert (await z("sorted_range", key=into))["members"] == scored(("a", 11.0))
    done = await z("sorted_combine_into", how="union", scores="max", weights=[1, 0.5], **given)
    assert done == {"count": 6}
    found = await z("sorted_scores", key=into, members=["a", "x"])
    assert found["scores"] == [5.0, 10.0]
    failure = await z.failure("sorted_combine_into", how="union", target=other, keys=[other])
    assert failure.kind is K.INVALID
    failure = await z.failure("sorted_combine_into", how="union", weights=[1], **given)
    assert "weights has 1 numbers for 2 keys" in failure.message


@pytest.mark.parametrize("settings", [{"max_items": 3}])
async def test_what_is_too_large_is_an_error_that_names_the_setting(z):
    failure = await z.failure("sorted_range", key=z.key("z"))
    assert failure.kind is K.INVALID
    assert "max_items is 3" in failure.message
    assert len((await z("sorted_range", key=z.key("z"), start=-3))["members"]) == 3


@pytest.mark.parametrize(("count", "batch"), [(20, 7), (3_000, 100)])
async def test_scan_reads_every_member(db, redis_server, count, batch):
    members = {f"m{number}": number / 2 for number in range(count)}
    redis_server.ask("ZADD", db.key("z"), *(w for m, s in members.items() for w in (s, m)))
    chunks = await db.chunks("sorted_scan", batch, key=db.key("z"))
    assert {one["member"]: one["score"] for chunk in chunks for one in chunk} == members
