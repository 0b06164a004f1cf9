"""Every type there and back: nothing is lost, and what would be is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import bson
import pytest
from bson.datetime_ms import DatetimeMS

from drawloom.connectors.databases.mongodb.values import from_bson, to_bson
from drawloom.errors import FailureKind

OPTIONS = bson.CodecOptions(
    tz_aware=True, datetime_conversion=bson.DatetimeConversion.DATETIME_AUTO
)
MOMENT = datetime(2026, 11, 23, 10, 20, 30, 125_000, UTC)

# what a chain gives, what is stored, what it gets back (the same where it is left out)
ROUND_TRIPS = [
    (None, None),
    (True, True),
    (7, 7),
    (5.0, 5.0),
    (-0.5, -0.5),
    (5e-324, 5e-324),
    ("ünï 漢字 🧵 \0 $x", "ünï 漢字 🧵 \0 $x"),
    (9007199254740991, 9007199254740991),
    ({"$numberLong": "9007199254740992"}, 2**53),
    ({"$numberLong": "-9223372036854775808"}, -(2**63)),
    ({"$numberLong": "5"}, bson.Int64(5), 5),
    ({"$numberInt": "5"}, 5, 5),
    ({"$numberDouble": "NaN"}, float("nan")),
    ({"$numberDouble": "-Infinity"}, float("-inf")),
    ({"$numberDouble": "1.5"}, 1.5, 1.5),
    ({"$numberDecimal": "1.50"}, bson.Decimal128("1.50")),
    ({"$numberDecimal": "-1E+6144"}, bson.Decimal128("-1E+6144"), {"$numberDecimal": "-1.000000000000000000000000000000000E+6144"}),
    ({"$numberDecimal": "NaN"}, bson.Decimal128("NaN")),
    ({"$oid": "0123456789abcdef01234567"}, bson.ObjectId("0123456789abcdef01234567")),
    ({"$date": "2026-11-23T10:20:30.125Z"}, MOMENT),
    ({"$date": "2026-11-23T11:20:30.125+01:00"}, MOMENT, {"$date": "2026-11-23T10:20:30.125Z"}),
    ({"$date": "1901-01-01T00:00:00Z"}, datetime(1901, 1, 1, tzinfo=UTC)),
    ({"$date": "0001-01-01T00:00:00Z"}, datetime(1, 1, 1, tzinfo=UTC)),
    ({"$date": {"$numberLong": "1795429230125"}}, DatetimeMS(1795429230125), {"$date": "2026-11-23T10:20:30.125Z"}),
    ({"$binary": {"base64": "AP8=", "subType": "00"}}, b"\0\xff"),
    ({"$binary": {"base64": "", "subType": "80"}}, bson.Binary(b"", 0x80)),
    (
        {"$uuid": "6f2c1f3e-0b7c-4d52-9c67-3f1a2b4c5d6e"},
        bson.Binary(bytes.fromhex("6f2c1f3e0b7c4d529c673f1a2b4c5d6e"), 4),
        {"$binary": {"base64": "bywfPgt8TVKcZz8aK0xdbg==", "subType": "04"}},
    ),
    ({"$regularExpression": {"pattern": "^a.*$", "options": "imsx"}}, bson.Regex("^a.*$", "imsx")),
    ({"$timestamp": {"t": 4294967295, "i": 1}}, bson.Timestamp(4294967295, 1)),
    ({"$minKey": 1}, bson.MinKey()),
    ({"$maxKey": 1}, bson.MaxKey()),
    ({"$ref": "c", "$id": {"$numberLong": "9007199254740993"}}, bson.DBRef("c", 2**53 + 1)),
    ({"$ref": "c", "$id": 1, "$db": "d"}, bson.DBRef("c", 1, "d")),
    ({"a": [{"b": {"$date": "2026-11-23T10:20:30Z"}}], "x.y": {}, "": []}, {"a": [{"b": MOMENT.replace(microsecond=0)}], "x.y": {}, "": []}),
]  # fmt: skip


@pytest.mark.parametrize("case", ROUND_TRIPS, ids=lambda case: str(case[0])[:60])
async def test_a_value_comes_back_exactly(db, raw, case):
    given, stored, *wanted = case
    await db("insert_one", collection="t", document={"_id": 1, "v": given})
    [found] = await db.all()
    assert found == {"_id": 1, "v": (wanted or [given])[0]}
    assert type(found["v"]) is type((wanted or [given])[0])
    found = raw.get_collection("t", OPTIONS).find_one({"_id": 1})
    assert bson.encode(found) == bson.encode({"_id": 1, "v": stored})


@pytest.mark.parametrize("moment", ["253402300800000", "-62135596800001"])
def test_a_date_outside_the_years_1_to_9999_is_exact(moment):
    """SecantusDB cannot hold one, so it goes through the driver's own encoding."""
    given = {"v": {"$date": {"$numberLong": moment}}}
    stored = bson.encode(to_bson(given))
    assert stored == bson.encode({"v": DatetimeMS(int(moment))})
    assert from_bson(bson.decode(stored, OPTIONS)) == given


REFUSED = [
    {"$gt": ""},
    {"$ne": None},
    {"$where": "1"},
    {"$code": "1"},
    {"$literal": 1},
    {"$oid": "x"},
    {"$oid": {"$gt": ""}},
    {"$oid": "0123456789abcdef01234567", "a": 1},
    {"$oid": "0123456789abcdef01234567", "$gt": 1},
    {"$numberDecimal": "1,5"},
    {"$numberDecimal": "1" * 35},
    {"$numberDecimal": 1.5},
    {"$numberLong": "9223372036854775808"},
    {"$numberLong": 5},
    {"$numberInt": "2147483648"},
    {"$numberDouble": "x"},
    {"$date": "2026-11-23"},
    {"$date": "2026-11-23T10:20:30"},
    {"$date": "2026-02-30T10:20:30Z"},
    {"$date": "2026-11-23T10:20:30.1234Z"},
    {"$date": {"$numberLong": "x"}},
    {"$date": {"$gt": ""}},
    {"$binary": {"base64": "not base64!", "subType": "00"}},
    {"$binary": {"base64": "AP8="}},
    {"$uuid": "x"},
    {"$regularExpression": {"pattern": "a", "options": "q"}},
    {"$regularExpression": {"pattern": {"$gt": ""}, "options": ""}},
    {"$timestamp": {"t": -1, "i": 1}},
    {"$minKey": 2},
    {"$ref": "c"},
    {"$ref": "c", "$id": {"$gt": 1}},
    {"a": [{"b": {"$set": 1}}]},
    {"a\0b": 1},
    2**63,
]


@pytest.mark.parametrize("value", REFUSED, ids=str)
async def test_what_is_no_value_is_refused_by_name(db, value):
    failure = await db.failure("insert_one", collection="t", document={"v": value})
    assert failure.kind is FailureKind.INVALID
    assert "document.v" in failure.message
    assert await db.all() == []


@pytest.mark.parametrize("name", ["$oid", "$set", "$"])
async def test_a_stored_name_that_looks_like_a_type_is_an_error(db, raw, name):
    raw["t"].insert_one({"_id": 1, "a": {name: "x"}, "b": 1})
    failure = await db.failure("find", collection="t")
    assert failure.kind is FailureKind.INVALID
    assert "projection" in failure.message
    assert await db.all(projection={"b": 1}) == [{"_id": 1, "b": 1}]


async def test_a_large_document(db):
    text = "woven " * 900_000
    await db("insert_one", collection="t", document={"_id": 1, "v": text})
    assert (await db.all())[0]["v"] == text
    failure = await db.failure("insert_one", collection="t", document={"v": text * 4})
    assert failure.kind is FailureKind.INVALID
