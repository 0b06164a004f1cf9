"""Procedures and functions with typed parameters, and what the server tells of itself."""

from __future__ import annotations

from drawloom.errors import FailureKind

BUSY = """CREATE PROCEDURE busy(IN a int, OUT b decimal(20, 10), INOUT c datetime(6), OUT d varchar(9),
    OUT e bigint unsigned, OUT f date) BEGIN
    SELECT a AS n UNION SELECT a + 1; SELECT 'x' AS t, c AS at; UPDATE t SET v = a;
    SET b = 0.1000000001, c = c + INTERVAL 1 DAY, d = 'ä', e = 18446744073709551615, f = '2026-01-31';
    SELECT 1 AS one WHERE FALSE; END"""


async def test_every_kind_of_parameter_and_several_results(db):
    await db.run("CREATE TABLE t (v int)", "INSERT INTO t VALUES (0)", BUSY)
    done = await db("call", routine="busy", args={"a": 5, "c": "2026-01-30T10:00:00.5"})
    assert [one["rows"] for one in done["results"]] == [
        [{"n": 5}, {"n": 6}],
        [{"t": "x", "at": "2026-01-30T10:00:00.500000"}],
        [],
    ]
    assert done["results"][2]["columns"] == ["one"]
    assert done["out"] == {
        "b": "0.1000000001",
        "c": "2026-01-31T10:00:00.500000",
        "d": "ä",
        "e": "18446744073709551615",
        "f": "2026-01-31",
    }
    assert await db.value("SELECT v FROM t") == 5
    assert (await db("call", routine="busy", args={"a": None, "c": None}))["out"]["c"] is None


async def test_a_function(db):
    await db.run(
        "CREATE FUNCTION `add up`(a int, b decimal(5,2)) RETURNS decimal(9,2) RETURN a + b",
        "CREATE PROCEDURE nothing() BEGIN END",
        "CREATE FUNCTION fixed() RETURNS varchar(9) RETURN 'x'",
    )
    done = await db("call", routine="add up", args={"a": 1, "b": "0.50"})
    assert done == {"results": [], "out": {}, "returned": "1.50"}
    assert (await db("call", routine="fixed"))["returned"] == "x"
    assert await db("call", routine="nothing") == {"results": [], "out": {}, "returned": None}


async def test_what_a_routine_does_not_take(db):
    await db.run(
        "CREATE PROCEDURE p(IN a int, OUT b int) SET b = a",
        "CREATE PROCEDURE open_end() START TRANSACTION",
        "CREATE PROCEDURE raises() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'",
        "CREATE PROCEDURE twice() SELECT 1 AS a, 2 AS a",
    )
    for args, message in [
        ({}, "needs 'a'"),
        ({"a": 1, "b": 2}, "takes no 'b'; it takes a"),
        ({"a": "12x"}, "args.a: expected an integer"),
        ({"a": 2**40}, "Out of range"),
    ]:
        failure = await db.failure("call", routine="p", args=args)
        assert (failure.kind, message in failure.message) == (FailureKind.INVALID, True), failure
    for name, message in [("open_end", "left a transaction open"), ("raises", "not today"),
                          ("twice", "two columns named 'a'")]:  # fmt: skip
        failure = await db.failure("call", routine=name)
        assert (failure.kind, message in failure.message) == (FailureKind.INVALID, True), failure
        assert await db.value("SELECT 1") == 1
    for name in ("nope", "p()", "p; DROP PROCEDURE p", "`p`"):
        assert (await db.failure("call", routine=name)).kind is FailureKind.MISSING


async def test_what_the_database_has(db):
    await db.run(
        "CREATE TABLE parent (a int, b int, PRIMARY KEY (b, a))",
        "CREATE TABLE child (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, x int NOT NULL DEFAULT 7,"
        " y int, z varchar(9) COMMENT 'the last' UNIQUE, w int AS (x + 1) VIRTUAL, KEY xy (x, y),"
        " CONSTRAINT up FOREIGN KEY (x, y) REFERENCES parent (b, a))",
        "CREATE VIEW looks AS SELECT id FROM child",
        "CREATE PROCEDURE p(IN a int, OUT b decimal(5,2)) SET b = a",
        "CREATE FUNCTION f(a date) RETURNS int RETURN 1",
    )
    assert db.client.settings.database in (await db("schemas"))["schemas"]
    [child, looks, parent] = (await db("tables"))["tables"]
    assert [(c["name"], c["type"], c["key"]) for c in parent["columns"]] == [
        ("a", "int(11)", 2),
        ("b", "int(11)", 1),
    ]
    assert (looks["kind"], child["kind"], child["engine"]) == ("view", "table", "InnoDB")
    assert [c["name"] for c in child["columns"] if c["auto_increment"]] == ["id"]
    assert [c["name"] for c in child["columns"] if c["generated"]] == ["w"]
    assert child["columns"][1]["default"] == "7"
    assert not child["columns"][1]["nullable"]
    assert child["columns"][3]["comment"] == "the last"
    assert child["indexes"] == [
        {"name": "PRIMARY", "columns": ["id"], "unique": True},
        {"name": "xy", "columns": ["x", "y"], "unique": False},
        {"name": "z", "columns": ["z"], "unique": True},
    ]
    assert child["foreign_keys"] == [
        {"name": "up", "columns": ["x", "y"], "table": "parent", "references": ["b", "a"]}
    ]
    assert (await db("tables", table="child"))["tables"] == [child]
    assert (await db.failure("tables", table="nope")).kind is FailureKind.MISSING
    assert (await db("tables", schema="no_such"))["tables"] == []
    assert (await db("procedures"))["procedures"] == [
        {"name": "f", "kind": "function", "returns": "int(11)",
         "parameters": [{"name": "a", "mode": "IN", "type": "date"}]},
        {"name": "p", "kind": "procedure", "returns": None, "parameters": [
            {"name": "a", "mode": "IN", "type": "int(11)"},
            {"name": "b", "mode": "OUT", "type": "decimal(5,2)"}]},
    ]  # fmt: skip
