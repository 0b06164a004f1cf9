"""Lua, where the connection allows it."""

from __future__ import annotations

import pytest

from drawloom.connectors.databases.redis import connector
from drawloom.errors import FailureKind, ToolError


async def test_a_script_is_denied_unless_allowed(db):
    failure = await db.failure("script", code="return 1")
    assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)
    assert "allow_scripts = true" in failure.message
    with pytest.raises(ToolError, match="allow_scripts"):
        await connector.tools["redis.script"].planner(db.client, code="return 1", keys=[])


@pytest.mark.parametrize("settings", [{"allow_scripts": True}])
class TestAllowed:
    @pytest.mark.parametrize(
        ("code", "result"),
        [
            ("return {KEYS[1], ARGV[1], 5, false}", ["k", "]] .. os.exit() .. [[", 5, None]),
            ("return 9007199254740992", "9007199254740992"),
            ("return redis.call('PING')", "PONG"),
            ("redis.setresp(3); return {map={a='b'}}", {"a": "b"}),
            ("redis.setresp(3); return {double=1.5}", 1.5),
        ],
    )
    async def test_values_go_in_and_come_out(self, db, code, result):
        args = ["]] .. os.exit() .. [["]
        found = await db("script", code=code, keys=["k"], args=args)
        assert found == {"result": result}

    async def test_a_plan_names_it(self, db):
        [touch] = await connector.tools["redis.script"].planner(db.client, code="x", keys=["a"])
        assert (touch.does, touch.what) == ("runs", "a Lua script on 1 keys")

    async def test_a_script_that_is_wrong(self, db):
        failure = await db.failure("script", code="return redis.call('INCR', KEYS[1])")
        assert failure.kind is FailureKind.INVALID
