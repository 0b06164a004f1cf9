"""The planners ask the server, and the server changes nothing."""

from __future__ import annotations

import pytest

from drawloom.connectors.databases.mongodb import connector
from drawloom.errors import ToolError


@pytest.mark.parametrize(
    ("tool", "does", "count"),
    [
        ("find", "reads", 3),
        ("find_one", "reads", 1),
        ("update_many", "changes", 3),
        ("update_one", "changes", 1),
        ("delete_many", "deletes", 3),
        ("find_one_and_delete", "deletes", 1),
    ],
)
async def test_what_fits_is_counted_and_stays(db, raw, tool, does, count):
    await db.taking("insert_many", collection="t", documents=[{"_id": n} for n in range(5)])
    planner = connector.tools[f"mongodb.{tool}"].planner
    [touch] = await planner(db.client, collection="t", filter={"_id": {"$lt": 3}}, update={})
    assert (touch.does, touch.what, touch.count) == (does, "documents of t", count)
    assert raw["t"].count_documents({}) == 5
    with pytest.raises(ToolError, match="name the operator"):
        await planner(db.client, collection="t", filter={"_id": 3})
