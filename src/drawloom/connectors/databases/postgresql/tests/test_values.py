"""Every type there and back: nothing is lost, and what would be is refused."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind

# type, what a chain gives, what it gets back (the same where it is left out)
ROUND_TRIPS = [
    ("bool", True),
    ("int2", -32768),
    ("int4", 2147483647),
    ("int4", "12", 12),
    ("int4", 12.0, 12),
    ("int8", 9007199254740991),
    ("int8", 9007199254740992, "9007199254740992"),
    ("int8", "9223372036854775807"),
    ("int8", "-9223372036854775808"),
    ("int8", "5", 5),
    ("oid", 4294967295),
    ("float8", 0.1),
    ("float8", 5e-324),
    ("float8", 3, 3.0),
    ("float8", "NaN"),
    ("float8", "-Infinity"),
    ("float4", 0.5),
    ("float4", "Infinity"),
    ("numeric", "1.50"),
    ("numeric", "0"),
    ("numeric", "-0.00", "0.00"),
    ("numeric", "-12345678901234567890.000000000000000000123400"),
    ("numeric", "10000"),
    ("numeric", "0.0001"),
    ("numeric", "1e5", "100000"),
    ("numeric", "1.5e-7", "0.00000015"),
    ("numeric", 0.1, "0.1"),
    ("numeric", 1e22, "10000000000000000000000"),
    ("numeric", 7, "7"),
    ("numeric", "NaN"),
    ("numeric", "Infinity"),
    ("text", "ünï 漢字 🧵"),
    ("text", ""),
    ("varchar(5)", "abc"),
    ("char(3)", "a", "a  "),
    ("name", "n"),
    ("bytea", "AP8="),
    ("bytea", ""),
    ("uuid", "6f2c1f3e-0b7c-4d52-9c67-3f1a2b4c5d6e"),
    ("json", {"a": [1, None, "x", {"b": 0.5}]}),
    ("json", "just text"),
    ("jsonb", [1, 2, {"é": True}]),
    ("jsonb", 5),
    ("jsonb", {"big": "9007199254740993"}),
    ("date", "2026-11-23"),
    ("date", "0001-01-01"),
    ("date", "infinity"),
    ("time", "10:20:30.5", "10:20:30.500000"),
    ("time", "24:00:00"),
    ("timetz", "10:20:30+05:30"),
    ("timetz", "10:20:30Z", "10:20:30+00:00"),
    ("timetz", "10:20:30-08:00"),
    ("timestamp", "2026-11-23T10:20:30.123456"),
    ("timestamp", "2026-11-23", "2026-11-23T00:00:00"),
    ("timestamp", "-infinity"),
    ("timestamptz", "2026-11-23T10:20:30+01:00", "2026-11-23T09:20:30+00:00"),
    ("timestamptz", "1999-12-31t23:59:59.999999z", "1999-12-31T23:59:59.999999+00:00"),
    ("timestamptz", "infinity"),
    ("interval", "P1Y2M3DT4H5M6.5S"),
    ("interval", "PT0S"),
    ("interval", "-P1M", "-P1M"),
    ("interval", "P1M-1D", "P1M-1D"),
    ("interval", "P2W", "P14D"),
    ("interval", "PT36H", "PT36H"),
    ("interval", "P1DT-0.000001S", "P1DT-0.000001S"),
    ("inet", "192.168.0.1"),
    ("inet", "192.168.0.1/24"),
    ("inet", "2001:db8::1"),
    ("cidr", "10.0.0.0/8"),
    ("macaddr", "08:00:2b:01:02:03"),
    ("bit(3)", "101"),
    ("varbit", "1010101010"),
    ("varbit", ""),
    ("point", "(1,2.5)"),
    ("box", "(2,2),(1,1)"),
    ("money", "$12.50"),
    ("int4[]", [1, None, 3]),
    ("int4[]", []),
    ("int8[]", [[1, "9223372036854775807"], [3, 4]]),
    ("text[]", ["a,b", 'quo"te', "NULL", "{x}", "\\"]),
    ("numeric[]", ["1.10", "-0.5"]),
    ("jsonb[]", [{"a": 1}, "x"]),
    ("timestamptz[]", ["2026-11-23T00:00:00+00:00"]),
    ("bytea[]", ["AP8="]),
    ("int4range", {"lower": 1, "upper": 5, "lower_inc": True, "upper_inc": False}),
    (
        "int4range",
        {"lower": 1, "upper": 5, "upper_inc": True},
        {"lower": 1, "upper": 6, "lower_inc": True, "upper_inc": False},
    ),
    ("int4range", {"empty": True}),
    (
        "tstzrange",
        {"lower": "2026-01-01T00:00:00Z", "upper": None},
        {
            "lower": "2026-01-01T00:00:00+00:00",
            "upper": None,
            "lower_inc": True,
            "upper_inc": False,
        },
    ),
    (
        "numrange[]",
        [{"lower": "1.5", "upper": "2", "lower_inc": False, "upper_inc": True}],
    ),
    ("int4multirange", [{"lower": 1, "upper": 2, "lower_inc": True, "upper_inc": False}]),
]


@pytest.mark.parametrize("case", ROUND_TRIPS, ids=lambda case: f"{case[0]} {case[1]}"[:60])
async def test_a_value_comes_back_exactly(shared, case):
    kind, given, *wanted = case
    found = await shared.value(f"SELECT $1::{kind} AS v", given)
    assert found == (wanted or [given])[0]
    assert type(found) is type((wanted or [given])[0])


REFUSED = [
    ("bool", 1),
    ("bool", "true"),
    ("int4", 2147483648),
    ("int4", 1.5),
    ("int4", True),
    ("int4", "1.0"),
    ("int8", "9223372036854775808"),
    ("float8", "1.5"),
    ("float8", False),
    ("float4", 1e300),
    ("numeric", "1,5"),
    ("numeric", True),
    ("numeric", "0x10"),
    ("numeric", "1e999999"),
    ("text", 5),
    ("bytea", "not base64!"),
    ("uuid", "not-a-uuid"),
    ("date", "2026-02-30"),
    ("date", "23.11.2026"),
    ("date", 20261123),
    ("time", "25:00:00"),
    ("time", "10:00:00.1234567"),
    ("timestamp", "2026-11-23T10:20:30Z"),
    ("timestamptz", "2026-11-23T10:20:30"),
    ("timestamptz", "2026-11-23T23:59:60Z"),
    ("interval", "1 day"),
    ("interval", "P"),
    ("interval", 3600),
    ("inet", "300.1.1.1"),
    ("bit(3)", "102"),
    ("int4[]", 5),
    ("int4[]", "{1,2}"),
    ("int4[]", [1, "x"]),
    ("int4range", [1, 5]),
    ("int4range", {"from": 1}),
    ("int4range", "[1,5)"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]} {case[1]}")
async def test_what_would_be_lost_is_refused_by_name(shared, case):
    kind, value = case
    failure = await shared.failure(
        "query", sql=f"SELECT $1::int4, $2::{kind} AS v", args=[1, value]
    )
    assert failure.kind is FailureKind.INVALID
    assert "$2" in failure.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '0044-03-15 BC'::date",
        "SELECT '10000-01-01'::timestamp",
        "SELECT '10000-01-01Z'::timestamptz",
        'SELECT \'{"a": 1, "a": 2}\'::json',
        "SELECT '1e999'::json",
    ],
)
async def test_what_a_chain_cannot_hold_is_an_error(shared, sql):
    assert (await shared.failure("query", sql=sql)).kind is not FailureKind.DEFECT
    assert await shared.value("SELECT 1") == 1, "the connection is still good"


async def test_numeric_agrees_with_the_server(shared):
    texts = [
        f"{sign}{whole}{point}"
        for sign in ("", "-")
        for whole in ("0", "1", "9999", "10000", "99990000", "100000000", "12345678901234567890")
        for point in ("", ".0", ".1", ".0001", ".00001", ".99990", ".1234567890123")
    ]
    found = await shared.rows(
        "SELECT v::text AS text, v FROM unnest($1::numeric[]) WITH ORDINALITY AS t(v, n)"
        " ORDER BY n",
        texts,
    )
    assert [row["v"] for row in found] == [row["text"] for row in found]
    assert [row["v"].lstrip("-") for row in found] == [text.lstrip("-") for text in texts]


async def test_types_of_the_database_itself(db):
    await db("execute", sql="CREATE TYPE mood AS ENUM ('sad', 'it''s fine')")
    await db("execute", sql="CREATE DOMAIN big AS int8 CHECK (value > 0)")
    await db("execute", sql="CREATE TYPE item AS (id int8, price numeric, feel mood, tags text[])")
    assert await db.value("SELECT $1::mood", "it's fine") == "it's fine"
    assert await db.value("SELECT $1::mood[]", ["sad", None]) == ["sad", None]
    assert await db.value("SELECT $1::big", "9223372036854775807") == "9223372036854775807"
    item = {"id": "9223372036854775807", "price": "1.50", "feel": "sad", "tags": ["a", "b"]}
    assert await db.value("SELECT $1::item", item) == item
    assert await db.value("SELECT $1::item[]", [item, None]) == [item, None]
    assert await db.value("SELECT ROW(1, 'a', NULL)") == [1, "a", None]
    failure = await db.failure("query", sql="SELECT $1::item", args=[{"id": 1}])
    assert (failure.kind, "needs price, feel, tags" in failure.message) == ("invalid", True)
    failure = await db.failure("query", sql="SELECT $1::mood", args=["glad"])
    assert failure.kind is FailureKind.INVALID


async def test_types_of_extensions_are_text(db):
    known = {row["name"] for row in await db.rows("SELECT name FROM pg_available_extensions")}
    if not {"citext", "hstore"} <= known:
        pytest.skip("NO CITEXT AND HSTORE: install postgresql-contrib")
    for name in ("citext", "hstore"):
        await db("execute", sql=f"CREATE EXTENSION {name}")
    assert await db.value("SELECT $1::citext", "Ab") == "Ab"
    assert await db.value("SELECT $1::hstore", '"a"=>"1"') == '"a"=>"1"'


async def test_the_letters_of_the_catalogues_are_text(shared):
    assert await shared.value("SELECT relkind FROM pg_class WHERE relname = 'pg_class'") == "r"
    assert await shared.value("SELECT ARRAY['r'::\"char\"]") == ["r"]


async def test_null_is_null_and_json_null_too(shared):
    assert await shared.value("SELECT $1::jsonb IS NULL", None) is True
    assert await shared.value("SELECT 'null'::jsonb") is None
    assert await shared.value("SELECT $1::text", None) is None


async def test_types_inside_types(db):
    await db("execute", sql="CREATE DOMAIN span AS int4range")
    await db("execute", sql="CREATE DOMAIN big AS int8")
    await db("execute", sql="CREATE TYPE inner_part AS (n numeric, m big)")
    await db("execute", sql="CREATE TYPE outer_part AS (part inner_part, parts inner_part[])")
    span = {"lower": 1, "upper": 5, "lower_inc": True, "upper_inc": False}
    assert await db.value("SELECT $1::span", span) == span
    assert await db.value("SELECT $1::big[]", ["9223372036854775807", None]) == [
        "9223372036854775807",
        None,
    ]
    part = {"n": "1.50", "m": 7}
    whole = {"part": part, "parts": [part, None]}
    assert await db.value("SELECT $1::outer_part", whole) == whole
    await db("execute", sql="CREATE TYPE slot AS (at int4range)")
    assert await db.value("SELECT $1::slot", {"at": span}) == {"at": span}
