"""Values from outside stay values: a corpus of them, through every field of every tool.

Each one stands where a chain would put `${input.x}`. It comes back as what it
is, or is refused as `invalid`; it finds, changes and deletes nothing else.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from drawloom.connectors.databases.mongodb import connector
from drawloom.errors import FailureKind
from drawloom.sdk import Context, Stream, name_fault

# What is sent where a plain value is expected. "secret" is what none of them may find.
OPERATORS: list[Any] = [
    {"$gt": ""},
    {"$ne": None},
    {"$gte": {"$minKey": 1}},
    {"$regex": ".*"},
    {"$not": {"$eq": 1}},
    {"$nin": []},
    {"$in": ["secret"]},
    {"$exists": True},
    {"$type": "string"},
    {"$where": "sleep(1)"},
    {"$where": "this.owner == 'root'"},
    {"$expr": {"$eq": [1, 1]}},
    {"$or": [{}]},
    {"$function": {"body": "function(){return true}", "args": [], "lang": "js"}},
    {"$accumulator": {"init": "function(){}"}},
    {"$elemMatch": {"$gt": ""}},
    {"$jsonSchema": {}},
    {"$set": {"owner": "me"}},
    {"$each": [1], "$slice": 0},
    {"$literal": 1},
    {"$arg": "x"},
    {"$code": "return true"},
    {"$oid": {"$gt": ""}},
    {"$date": {"$gt": ""}},
    {"a": {"$gt": ""}},
    [{"$gt": ""}],
    [[{"$where": "1"}]],
]
TEXTS: list[Any] = [
    "' || '1'=='1",
    "'; return true; var a='",
    "$owner",
    "$$ROOT",
    "$$CURRENT.owner",
    "${owner}",
    '{"$gt": ""}',
    "1; sleep(1000)",
    "\u0000",
    "a\u0000b",
    ".*",
    "__proto__",
    "owner.$gt",
    "ünï 漢字",
]
# Values with a type of their own, which none of the fields has.
TYPED: list[Any] = [
    {"$minKey": 1},
    {"$maxKey": 1},
    {"$regularExpression": {"pattern": ".*", "options": ""}},
    {"$oid": "0" * 24},
    {"$numberDecimal": "NaN"},
    None,
    True,
    {},
    [],
]

# Where a value from outside stands: everything is written by the author, but for X.
X = "${input.x}"
EQUAL = {"name": {"$eq": X}}
FILTERS = [
    EQUAL,
    {"name": {"$in": [X]}},
    {"name": {"$in": X}},
    {"$and": [{"name": {"$eq": X}}]},
    {"name": {"$not": {"$ne": X}}},
    {"tags": {"$all": [X]}},
    {"tags": {"$elemMatch": {"$eq": X}}},
    {"at.x": {"$eq": X}},
]
FILTERING = ["find", "find_one", "count", "delete_one", "delete_many", "find_one_and_delete"]


@pytest.fixture
async def shop(db):
    documents = [{"_id": n, "name": "secret", "owner": "root", "tags": ["t"]} for n in range(3)]
    await db.taking("insert_many", collection="t", documents=documents)
    return db


def filled(shape: Any, value: Any) -> Any:
    """A copy of *shape* with *value* in the place of X."""
    if shape == X:
        return copy.deepcopy(value)
    if isinstance(shape, dict):
        return {name: filled(inner, value) for name, inner in shape.items()}
    return [filled(inner, value) for inner in shape] if isinstance(shape, list) else shape


async def outcome(db: Any, tool: str, **given: Any) -> Any:
    """What a tool gives, or "refused"; any other failure is an error of this test."""
    found = connector.tools[f"mongodb.{tool}"]
    for name in found.stream_inputs:
        given[name] = Stream.of(given[name])
    if name := found.signature.context_name:
        given[name] = Context(batch=10)
    try:
        if found.streams:
            return [
                item async for chunk in found.function(db.client, **given) for item in chunk.items
            ]
        return await found.function(db.client, **given)
    except Exception as exc:  # noqa: BLE001
        failure = name_fault(connector.faults, exc)
        assert failure.kind is FailureKind.INVALID, failure
        return "refused"


async def untouched(raw: Any) -> bool:
    return list(raw["t"].find({}, {"_id": 0}).sort("_id", 1)) == [
        {"name": "secret", "owner": "root", "tags": ["t"]}
    ] * 3  # fmt: skip


@pytest.mark.parametrize("shape", FILTERS, ids=str)
async def test_a_value_under_an_operator_finds_nothing_else(shop, raw, shape):
    nothing = ({"documents": [], "count": 0, "truncated": False}, {"document": None, "found": False})  # fmt: skip
    for value in OPERATORS:
        for tool in FILTERING:
            given = filled(shape, value)
            done = await outcome(shop, tool, collection="t", filter=given)
            if shape == {"name": {"$in": X}} and value == [{"$gt": ""}]:
                assert done == "refused"
            assert done == "refused", (tool, given, done)
    for value in [*TEXTS, *TYPED]:
        for tool in FILTERING:
            done = await outcome(shop, tool, collection="t", filter=filled(shape, value))
            harmless = done in ("refused", *nothing, {"count": 0}, {"deleted": 0})
            assert harmless or _is_null(shape, value), (tool, shape, value, done)
            if _is_null(shape, value):
                break
    assert await untouched(raw)


def _is_null(shape: Any, value: Any) -> bool:
    """Null finds what has no such field: MongoDB says so, and the README too."""
    return value is None and "at.x" in shape


@pytest.mark.parametrize("value", [*OPERATORS, *TEXTS, *TYPED], ids=str)
async def test_a_value_without_its_operator_is_refused_or_a_condition_of_the_author(
    shop, raw, value
):
    """`{name: "${input.x}"}` fails with every honest value, so no such chain is ever at work."""
    if isinstance(value, dict) and value and all(key[:1] == "$" for key in value):
        return  # the form in which the whole condition is given: an author's own choice
    for tool in FILTERING:
        assert await outcome(shop, tool, collection="t", filter={"name": value}) == "refused"
    assert await untouched(raw)


UPDATES = [
    {"$set": {"note": X}},
    {"$setOnInsert": {"note": X}},
    {"$min": {"note": X}},
    {"$push": {"notes": {"$each": [X]}}},
    {"$push": {"notes": X}},
    {"$addToSet": {"notes": {"$each": [X]}}},
    {"$addToSet": {"notes": X}},
    {"$pull": {"tags": {"$eq": X}}},
    {"$pull": {"tags": X}},
    {"$pullAll": {"tags": [X]}},
    {"$inc": {"n": X}},
    {"$unset": {"note": X}},
    {"$rename": {"note": X}},
    {"$currentDate": {"note": X}},
    {"$bit": {"n": {"and": X}}},
    X,
]
# Under these a whole condition or modifier may be given, never one that data could be meant as.
LOOSE = ({"$push": {"notes": X}}, {"$addToSet": {"notes": X}}, {"$pull": {"tags": X}})


@pytest.mark.parametrize("shape", UPDATES, ids=str)
async def test_a_value_of_an_update_changes_nothing_else(shop, raw, shape):
    given = {"collection": "t", "filter": {"_id": {"$eq": "new"}}, "upsert": True}
    for value in OPERATORS:
        if shape in LOOSE or (shape == X and value == {"$set": {"owner": "me"}}):
            continue
        done = await outcome(shop, "update_one", **given, update=filled(shape, value))
        assert done == "refused", (shape, value)
    for value in [*TEXTS, *TYPED]:
        if shape == X and not isinstance(value, dict | list):
            continue  # refused by the schema
        await outcome(shop, "update_one", **given, update=filled(shape, value))
        raw["t"].delete_one({"_id": "new"})
        if shape in LOOSE:
            done = await outcome(shop, "update_one", **given, update=filled(shape, value))
            assert done == "refused" or value == {}, (shape, value)
    raw["t"].delete_many({"_id": "new"})
    assert await untouched(raw)


async def test_stored_values_come_back_as_they_were(shop, raw):
    for value in [*TEXTS, *TYPED]:
        await shop("replace_one", collection="t", filter={"_id": {"$eq": "v"}}, replacement={"v": value}, upsert=True)  # fmt: skip
        [found] = await shop.all(filter={"_id": {"$eq": "v"}})
        assert found["v"] == value
        if value is not None and value != {"$regularExpression": {"pattern": ".*", "options": ""}}:
            again = await shop.all(filter={"v": {"$eq": value}})
            assert value == {"$numberDecimal": "NaN"} or [one["_id"] for one in again] == ["v"]
    for value in OPERATORS:
        for tool, given in (
            ("insert_one", {"document": {"v": value}}),
            ("insert_many", {"documents": [{"v": value}]}),
            ("upsert", {"documents": [{"_id": "u", "v": value}], "key": ["_id"]}),
            ("replace_one", {"filter": {}, "replacement": {"v": value}}),
            ("find_one_and_replace", {"filter": {}, "replacement": {"v": value}}),
        ):
            assert await outcome(shop, tool, collection="t", **given) == "refused", (tool, value)
    raw["t"].delete_one({"_id": "v"})
    assert await untouched(raw)


async def test_bound_arguments_of_a_pipeline_are_values(shop):
    pipeline = [{"$limit": 1}, {"$project": {"_id": 0, "v": {"$arg": "x"}, "same": {"$eq": ["$name", {"$arg": "x"}]}}}]  # fmt: skip
    for value in [*TEXTS, *TYPED]:
        found = await outcome(
            shop, "aggregate", collection="t", pipeline=pipeline, args={"x": value}
        )
        assert found["documents"] == [{"v": value, "same": False}], value
    for value in OPERATORS:
        found = await outcome(
            shop, "aggregate", collection="t", pipeline=pipeline, args={"x": value}
        )
        assert found == "refused", value


@pytest.mark.parametrize("value", [v for v in OPERATORS if isinstance(v, dict)], ids=str)
async def test_a_match_has_the_rules_of_filters(shop, value):
    for pipeline in ([{"$match": {"name": {"$eq": value}}}], [{"$facet": {"a": [{"$match": {"name": {"$in": [value]}}}]}}]):  # fmt: skip
        assert await outcome(shop, "aggregate", collection="t", pipeline=pipeline) == "refused"


JAVASCRIPT = [
    {"$function": {"body": "function(){}", "args": [], "lang": "js"}},
    {"$accumulator": {"init": "", "accumulate": "", "accumulateArgs": [], "merge": "", "lang": "js"}},
    {"$code": "1"},
]  # fmt: skip


@pytest.mark.parametrize("script", JAVASCRIPT, ids=str)
@pytest.mark.parametrize(
    "shape",
    [
        [{"$project": {"v": X}}],
        [{"$set": {"a": {"b": [{"$cond": [True, X, 1]}]}}}],
        [{"$group": {"_id": None, "v": X}}],
        [{"$match": {"$expr": X}}],
        [{"$facet": {"a": [{"$set": {"v": X}}]}}],
        [{"$lookup": {"from": "t", "pipeline": [{"$set": {"v": X}}], "as": "v"}}],
        [{"$lookup": {"from": "t", "let": {"v": X}, "pipeline": [], "as": "v"}}],
        [{"$unionWith": {"coll": "t", "pipeline": [{"$match": {"$expr": X}}]}}],
        [{"$replaceWith": X}],
        [{"$setWindowFields": {"output": {"v": X}}}],
    ],
    ids=str,
)
async def test_javascript_is_refused_wherever_it_stands(shop, shape, script):
    pipeline = filled(shape, script)
    for tool in ("aggregate", "stream_aggregate"):
        assert await outcome(shop, tool, collection="t", pipeline=pipeline) == "refused"
    into = [*pipeline, {"$out": "u"}]
    assert await outcome(shop, "aggregate_into", collection="t", pipeline=into) == "refused"


async def test_where_is_refused_in_every_filter(shop):
    for where in ({"$where": "1"}, {"$and": [{"$or": [{"$where": "1"}]}]}, {"tags": {"$elemMatch": {"$where": "1"}}}):  # fmt: skip
        for tool in FILTERING:
            assert await outcome(shop, tool, collection="t", filter=where) == "refused"


@pytest.mark.parametrize("settings", [{"allow_javascript": True}])
async def test_a_connection_may_allow_javascript(db):
    """SecantusDB has no JavaScript: that the server is asked shows that it was let through."""
    failure = await db.failure("find", collection="t", filter={"$where": "true"})
    assert "refused unless" not in failure.message


NAMES = ["$where", "$gt", "a.$gt", "$", "a\0b", "a.$where.b", "$$ROOT", ""]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_of_a_field_is_no_operator(shop, raw, name):
    for tool, given in (
        ("find", {"sort": {name: 1}}),
        ("find", {"projection": {name: 1}}),
        ("find", {"filter": {name: {"$eq": 1}}}),
        ("distinct", {"field": name}),
        ("stream", {"key": name}),
        ("update_one", {"filter": {}, "update": {"$set": {name: 1}}}),
        ("update_one", {"filter": {}, "update": {"$rename": {"owner": name}}}),
        ("create_index", {"keys": {name: 1}}),
        ("upsert", {"documents": [{"_id": 1}], "key": [name]}),
    ):
        assert await outcome(shop, tool, collection="t", **given) == "refused", tool
    assert await untouched(raw)


@pytest.mark.parametrize("name", ["system.users", "a$cmd", "$cmd", "a\0b", "", ".a", "a."])
async def test_a_name_of_a_collection_reaches_no_other(shop, name):
    writes = [{"op": "delete_many", "filter": {}, "collection": name}]
    assert await outcome(shop, "transaction", operations=writes) == "refused"
    for tool in connector.tools.values():
        if "collection" in tool.input_schema["properties"]:
            given = {"collection": name, **_least(tool)}
            assert await outcome(shop, tool.name.partition(".")[2], **given) == "refused", tool
    for stage in ({"$out": name}, {"$merge": {"into": name}}):
        done = await outcome(shop, "aggregate_into", collection="t", pipeline=[stage])
        assert done == "refused"
    lookup = [{"$lookup": {"from": name, "localField": "a", "foreignField": "a", "as": "v"}}]
    for pipeline in (lookup, [{"$unionWith": name}], [{"$unionWith": {"coll": name}}]):
        assert await outcome(shop, "aggregate", collection="t", pipeline=pipeline) == "refused"


LEAST = {
    "document": {}, "documents": [{}], "filter": {}, "update": {"$set": {"a": 1}}, "key": ["_id"],
    "replacement": {}, "operations": [], "field": "a", "keys": {"a": 1}, "name": "n",
}  # fmt: skip


def _least(tool: Any) -> dict[str, Any]:
    """The least that a tool needs besides its collection."""
    needed = set(tool.input_schema.get("required", ())) - {"collection"}
    into = [{"$out": "u"}] if tool.name.endswith("into") else []
    return {name: copy.deepcopy({**LEAST, "pipeline": into}[name]) for name in needed}
