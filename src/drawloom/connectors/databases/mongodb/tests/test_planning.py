"""The planners ask the server, and the server changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.connectors.databases.mongodb import connector
from drawloom.doors import Doors
from drawloom.errors import ToolError
from drawloom.project import Project
from drawloom.sdk.planning import Touch
from drawloom.testing.looking import Looks
from drawloom.testing.planning import Forecast

FITS = {"filter": {"_id": {"$lt": 3}}}
NONE = {"filter": {"_id": {"$gt": 9}}}
SET = {"update": {"$set": {"a": 2}}}
PUT = {"replacement": {"a": 2}}
TWO = {"documents": [{"a": 1}, {"a": 2}]}
STREAM = {"documents": {"$stream": {}}}
FILE = {"bucket": "fs", "name": "a.txt"}
MERGE = {"$merge": {"into": "sums", "whenMatched": "replace"}}

EACH: list[tuple[str, dict[str, Any], list[str]]] = [
    ("find", FITS, ["reads 3 documents of t"]),
    ("find_one", FITS, ["reads 1 documents of t"]),
    ("count", FITS, ["reads 3 documents of t"]),
    ("distinct", {"field": "a", **FITS}, ["reads 3 documents of t"]),
    ("stream", FITS, ["reads 3 documents of t"]),
    ("insert_one", {"document": {"a": 1}}, ["creates 1 documents of t"]),
    ("insert_many", TWO, ["creates 2 documents of t"]),
    ("insert_many", STREAM, ["creates documents of t"]),
    ("upsert", {**TWO, "key": ["a"]}, ["changes 2 documents of t, or creates them"]),
    ("upsert", {**STREAM, "key": ["a"]}, ["changes documents of t, or creates them"]),
    ("update_one", {**FITS, **SET}, ["changes 1 documents of t"]),
    ("update_one", {**NONE, **SET}, ["changes 0 documents of t"]),
    ("update_one", {**NONE, **SET, "upsert": True}, ["creates 1 documents of t"]),
    ("update_many", {**FITS, **SET}, ["changes 3 documents of t"]),
    ("replace_one", {**FITS, **PUT}, ["changes 1 documents of t"]),
    ("delete_one", FITS, ["deletes 1 documents of t"]),
    ("delete_many", FITS, ["deletes 3 documents of t"]),
    ("find_one_and_update", {**FITS, **SET}, ["changes 1 documents of t"]),
    ("find_one_and_replace", {**FITS, **PUT}, ["changes 1 documents of t"]),
    ("find_one_and_delete", FITS, ["deletes 1 documents of t"]),
    (
        "bulk_write",
        {
            "operations": [
                {"op": "insert_one", "document": {"a": 1}},
                {"op": "update_many", **FITS, **SET},
                {"op": "delete_many", "filter": {}},
            ]
        },
        ["creates 1 documents of t", "changes 3 documents of t", "deletes 5 documents of t"],
    ),
    (
        "transaction",
        {
            "operations": [
                {"op": "replace_one", "collection": "u", **FITS, **PUT, "upsert": True},
                {"op": "delete_one", "collection": "t", **FITS},
            ]
        },
        ["creates 1 documents of u", "deletes 1 documents of t"],
    ),
    ("aggregate", {"pipeline": [{"$match": FITS["filter"]}]}, ["reads 3 documents of t"]),
    ("stream_aggregate", {"pipeline": []}, ["reads 5 documents of t"]),
    (
        "aggregate_into",
        {"pipeline": [{"$out": "sums"}]},
        ["reads 5 documents of t", "deletes 1 documents of sums", "creates documents of sums"],
    ),
    (
        "aggregate_into",
        {"pipeline": [{"$match": FITS["filter"]}, MERGE]},
        ["reads 3 documents of t", "changes documents of sums, or creates them"],
    ),
    ("watch", {}, ["reads changes of t, as they come"]),
    ("list_indexes", {}, ["reads 2 indexes of t"]),
    (
        "create_index",
        {"keys": {"b": 1, "c": -1}},
        ["reads 5 documents of t", "creates the index b_1_c_-1 of t"],
    ),
    (
        "create_index",
        {"keys": {"a": 1}},
        [
            "reads whether the index a_1 of t is there: it is, so nothing is made, or it is a conflict"
        ],
    ),
    ("drop_index", {"name": "a_1"}, ["deletes the index a_1 of t"]),
    (
        "drop_index",
        {"name": "b_1"},
        ["reads whether the index b_1 of t is there: it is not, so nothing is dropped"],
    ),
]
FILES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "gridfs_upload",
        {**FILE, "content": "aGVsbG8="},
        ["creates 5 bytes of the file a.txt in fs"],
    ),
    (
        "gridfs_upload_file",
        {"path": "here.txt"},
        ["reads 4 bytes of here.txt", "creates 4 bytes of the file here.txt in fs"],
    ),
    (
        "gridfs_upload_stream",
        {**FILE, "pieces": {"$stream": {}}},
        ["creates bytes of the file a.txt in fs"],
    ),
    ("gridfs_download", FILE, ["reads 5 bytes of the file a.txt in fs"]),
    ("gridfs_stream", FILE, ["reads 5 bytes of the file a.txt in fs"]),
    (
        "gridfs_download_file",
        {**FILE, "path": "new.txt"},
        ["reads 5 bytes of the file a.txt in fs", "creates 5 bytes of new.txt in the folder"],
    ),
    (
        "gridfs_download_file",
        {**FILE, "path": "here.txt"},
        ["reads 5 bytes of the file a.txt in fs", "changes 5 bytes of here.txt in the folder"],
    ),
    ("gridfs_list", {"bucket": "fs"}, ["reads 1 documents of fs.files"]),
    (
        "gridfs_delete",
        {"id": {"$oid": "0" * 24}},
        ["deletes 0 documents of fs.files", "deletes 0 documents of fs.chunks"],
    ),
]


def test_every_tool_has_a_planner_and_is_tested_here():
    assert [name for name, tool in connector.tools.items() if tool.planner is None] == []
    assert {f"mongodb.{name}" for name, *_ in [*EACH, *FILES]} == set(connector.tools)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "here.txt").write_text("here")
    return {"folder": "."}


@pytest.fixture
async def stocked(db: Any, raw: Any) -> Any:
    """A database with documents, an index, a collection to write over, and a file."""
    raw["t"].insert_many([{"_id": n, "a": n} for n in range(5)])
    raw["t"].create_index("a")
    raw["sums"].insert_one({"_id": 1})
    await db("gridfs_upload", **FILE, content="aGVsbG8=")
    return raw


def everything(raw: Any, folder: Path) -> dict[str, Any]:
    """All documents and indexes of the database, and all files of the folder."""
    found: dict[str, Any] = {
        name: (list(raw[name].find().sort("_id", 1)), list(raw[name].list_indexes()))
        for name in raw.list_collection_names()
    }
    return found | {path.name: path.read_text() for path in folder.iterdir()}


def told(touches: list[Touch]) -> list[str]:
    return [
        f"{one.does} {one.what}" if one.count is None else f"{one.does} {one.count} {one.what}"
        for one in touches
    ]


@pytest.mark.parametrize(
    ("tool", "given", "touches"),
    [*EACH, *FILES],
)
async def test_it_tells_what_would_be_touched_and_touches_nothing(
    db: Any, stocked: Any, tmp_path: Path, tool: str, given: dict[str, Any], touches: list[str]
) -> None:
    found = connector.tools[f"mongodb.{tool}"]
    if "collection" in found.model.model_fields:
        given = {"collection": "t", **given}
    before = everything(stocked, tmp_path)
    assert {"t", "sums", "fs.files", "fs.chunks", "here.txt"} <= before.keys()
    assert told(await found.planner(db.client, **given)) == touches
    assert everything(stocked, tmp_path) == before


async def test_a_file_that_is_deleted_is_counted_with_its_pieces(db: Any, stocked: Any) -> None:
    [file] = stocked["fs.files"].find()
    planner = connector.tools["mongodb.gridfs_delete"].planner
    touches = told(await planner(db.client, id={"$oid": str(file["_id"])}))
    assert touches == ["deletes 1 documents of fs.files", "deletes 1 documents of fs.chunks"]
    assert stocked["fs.files"].count_documents({}) == 1


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("find", {"filter": {"_id": 3}}, "name the operator"),
        ("update_one", {"filter": {}, "update": {"$set": {"a": {"$gt": 1}}}}, "may not hold one"),
        ("insert_one", {"document": {"$set": 1}}, "do not begin with"),
        ("insert_many", {"documents": [{}, {"$set": 1}]}, r"documents\[1\]"),
        (
            "bulk_write",
            {"operations": [{"op": "delete_one"}]},
            r"operations\[0\]: .* needs filter",
        ),
        ("aggregate", {"pipeline": [{"$out": "t"}]}, r"\$out"),
        ("insert_one", {"collection": "system.users", "document": {}}, "no name for a collection"),
    ],
)
async def test_what_is_wrong_is_said_before_the_run(
    db: Any, tool: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ToolError, match=said):
        await connector.tools[f"mongodb.{tool}"].planner(db.client, **{"collection": "t", **given})


CHAIN = """
chain: c
connections: {db: mongodb}
steps:
  more: {use: mongodb.insert_many, on: db, with: {collection: t, documents: [{a: 7}, {a: 8}]}}
  all: {use: mongodb.stream, on: db, with: {collection: t}}
  copy: {use: mongodb.insert_many, on: db, with: {collection: u, documents: "${steps.all}"}}
"""


async def test_a_chain_is_planned_with_lists_and_streams(
    tmp_path: Path, mongodb: Any, stocked: Any
) -> None:
    (tmp_path / "drawloom.toml").write_text(
        '[connections.db]\nkind = "mongodb"\nhost = "{host}"\nport = {port}\n'
        'database = "{database}"\n'.format(**mongodb)
    )
    project = Project.find(tmp_path)
    plan = project.checked_plan(load(CHAIN))
    async with Looks(
        project.catalogue, project.connections, Doors(tmp_path), reads=False
    ) as looks:
        forecast = Forecast(plan, {}, {"db": "db"}, looks, 0)
        steps = [step async for step in forecast.steps()]
    assert {step.name: (step.why, told(list(step.touches or ()))) for step in steps} == {
        "more": ("", ["creates 2 documents of t"]),
        "all": ("", ["reads 5 documents of t"]),
        "copy": ("", ["creates documents of u"]),
    }
    assert "u" not in stocked.list_collection_names()
