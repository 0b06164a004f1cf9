"""What may be a value, and how everything else is written down."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, UserDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow.values import (
    DEEPEST,
    LARGEST_INTEGER,
    UNDEFINED,
    encode_value,
    pointer,
    read_json,
    write_json,
)
from drawloom.errors import ValueInvalid

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(
    allow_nan=False, allow_infinity=False
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Odd(Enum):
    PAIR = (1, 2)


class Own(str):
    """Text that a dict takes for another key, though it is written the same."""

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class Point(NamedTuple):
    x: int
    y: int


ENCODED: list[tuple[Any, Any]] = [
    (2**53 - 1, 9007199254740991),
    (2**53, "9007199254740992"),
    (-(2**53), "-9007199254740992"),
    (10**4_299, "1" + "0" * 4_299),
    (True, True),
    (Decimal("1.50"), "1.50"),
    (Decimal("1E+3"), "1000"),
    (Decimal("-0.00000001"), "-0.00000001"),
    (date(2026, 1, 2), "2026-01-02"),
    (time(1, 2, 3), "01:02:03"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    (datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02T03:04:05.000006"),
    (
        datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
        "1889-12-31T23:06:32+00:00",
    ),
    (timedelta(), "PT0S"),
    (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500_000), "P1DT2H3M4.5S"),
    (timedelta(microseconds=-1), "-PT0.000001S"),
    (timedelta(days=-2), "-P2D"),
    (
        UUID("12345678-1234-5678-1234-567812345678"),
        "12345678-1234-5678-1234-567812345678",
    ),
    (b"\x00\xff", "AP8="),
    (bytearray(b"a"), "YQ=="),
    (memoryview(b"a"), "YQ=="),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    ((1, (2,)), [1, [2]]),
    (Point(1, 2), [1, 2]),
    (OrderedDict(a=1), {"a": 1}),
    (UserDict(a=b"a"), {"a": "YQ=="}),
    ({Colour.RED: 1}, {"red": 1}),
    ("\ufffe", "\ufffe"),
]


@pytest.mark.parametrize(("value", "encoded"), ENCODED, ids=range(len(ENCODED)))
def test_each_kind_has_one_encoding(value: Any, encoded: Any) -> None:
    made = encode_value({"v": [value]})["v"][0]
    assert made == encoded
    assert type(made) is type(encoded)
    assert type(encode_value(value)) is type(encoded)


REFUSED: list[tuple[Any, str]] = [
    (float("nan"), "nan"),
    (float("-inf"), "inf"),
    (Decimal("NaN"), "NaN"),
    (Decimal("1E+5000"), "digits"),
    (Decimal("1E-999999"), "digits"),
    (10**4_300, "digits"),
    (10**100_000, "digits"),
    ("\ud800", "surrogate"),
    ("x" * 100_000 + "ä\udfff", "surrogate"),
    ({1, 2}, "order"),
    (object(), "type object"),
    (1j, "complex"),
    ({1: "a"}, "key 1"),
    ({"\ud800": 1}, "surrogate"),
    ({"red": 1, Own("red"): 2}, "twice"),
    (Odd.PAIR, "Odd.PAIR"),
    (UNDEFINED, "undefined"),
    (time(1, tzinfo=timezone(timedelta(seconds=90))), "minutes"),
]


@pytest.mark.parametrize(("value", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_has_no_encoding_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(ValueInvalid, match=said) as raised:
        encode_value({"a/b": [0, value]})
    assert raised.value.path.startswith("/a~1b/1")


def test_a_cycle_and_too_deep_a_value_are_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: Any = 1
    for _ in range(DEEPEST):
        deep = {"d": deep}
    assert encode_value(deep) is deep
    for value in (cycle, [deep], {"x": (deep, b"")}):
        with pytest.raises(ValueInvalid, match="nested more than 200 deep"):
            encode_value(value)


@given(JSON)
@settings(deadline=None)
def test_a_value_that_is_json_stays_the_same_object(value: Any) -> None:
    assert encode_value(value) is value


def test_only_the_way_to_a_change_is_copied() -> None:
    big = [{"n": i} for i in range(100)]
    value = {"big": big, "raw": [big, b"a"]}
    made = encode_value(value)
    assert made == {"big": big, "raw": [big, "YQ=="]}
    assert made["big"] is big
    assert made["raw"][0] is big
    assert value["raw"][1] == b"a", "the input was changed"


def mutable_kinds() -> st.SearchStrategy[Any]:
    rich = (
        st.integers()
        | st.decimals(allow_nan=False, allow_infinity=False, places=3)
        | st.datetimes(timezones=st.just(UTC))
        | st.timedeltas()
        | st.uuids()
        | st.binary()
    )
    return st.recursive(
        SCALARS | rich,
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(TEXT, inner),
        max_leaves=15,
    )


@given(mutable_kinds())
@settings(deadline=None)
def test_writing_then_reading_gives_the_encoded_value(value: Any) -> None:
    encoded = encode_value(value)
    assert read_json(write_json(value)) == encoded
    assert read_json(write_json(value, indent=2).encode()) == encoded
    assert encode_value(encoded) is encoded


@given(st.timedeltas())
@settings(deadline=None)
def test_a_duration_tells_every_microsecond(value: timedelta) -> None:
    text = encode_value(value)
    sign = -1 if text.startswith("-") else 1
    days, _, clock = text.lstrip("-")[1:].partition("T")
    total = Decimal(days.rstrip("D") or 0) * 86_400
    for mark, seconds in (("H", 3_600), ("M", 60), ("S", 1)):
        head, found, rest = clock.partition(mark)
        if found:
            total, clock = total + Decimal(head) * seconds, rest
    assert sign * total * 1_000_000 == value // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_undefined_is_one_thing_and_is_false(copied: Callable[[Any], Any]) -> None:
    assert copied(UNDEFINED) is UNDEFINED
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"


def test_a_pointer_escapes_its_segments() -> None:
    assert pointer([]) == ""
    assert pointer(["a/b", "m~n", 0, "", "\ud800"]) == "/a~1b/m~0n/0//\\ud800"
