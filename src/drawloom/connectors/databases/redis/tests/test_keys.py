"""Values by key."""

from __future__ import annotations


async def test_set_get_delete(db):
    key = db.key("a")
    assert await db("get", key=key) == {"value": None, "found": False}
    await db("set", key=key, value="ü")
    assert await db("get", key=key) == {"value": "ü", "found": True}
    assert await db("delete", keys=[key, db.key("b")]) == {"deleted": 1}
    assert await db("get", key=key) == {"value": None, "found": False}
