"""`drawloom triggers next`: files and expressions, as text and JSON, and what is refused."""

from __future__ import annotations

import pytest

from .conftest import Bench

SINCE = ("--after", "2026-03-28T12:00:00", "--count", "2")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("12h", ["2026-03-28T13:00:00+01:00", "2026-03-29T01:00:00+01:00"]),
        ("every 12h", ["2026-03-28T13:00:00+01:00", "2026-03-29T01:00:00+01:00"]),
        ("FREQ=DAILY", ["2026-03-29T12:00:00+02:00", "2026-03-30T12:00:00+02:00"]),
    ],
)
def test_an_expression(bench: Bench, expression: str, expected: list[str]) -> None:
    words = ("triggers", "next", expression, "--zone", "Europe/Berlin", *SINCE, "--json")
    told = bench.here(*words).json
    assert told["zone"] == "Europe/Berlin"
    assert [f["local"] for f in told["firings"]] == expected


def test_a_file_is_read_in_its_own_zone(bench: Bench) -> None:
    (bench.folder / "s.yaml").write_text("cron: 30 12 * * *\nzone: Asia/Tokyo\nend: 2026-03-28\n")
    done = bench.here("triggers", "next", "s.yaml", *SINCE)
    assert (done.code, done.out) == (0, "Sat 2026-03-28 12:30:00+09:00\n")
    done = bench.here("triggers", "next", "s.yaml", "--after", "2026-04-01")
    assert done.code == 0 and "It never fires after" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["0 0 32 * *"], "cron: field 3 is 32; days are 1 to 31"),
        (["hello"], "every: 'hello' is not a duration"),
        (["FREQ=DAILY;BYHOUR=25"], "rrule: BYHOUR is 25; it is 0 to 23"),
        (["none.yaml"], "cannot read none.yaml: No such file"),
        (["1h", "--zone", "Mars/X"], "zone: there is no zone 'Mars/X'"),
        (["1h", "--count", "0"], "count: 0 is not within 1 to 10,000"),
        (["1h", "--after", "soon"], "--after: 'soon' is no time"),
    ],
)
def test_what_is_refused(bench: Bench, words: list[str], message: str) -> None:
    done = bench.here("triggers", "next", *words)
    assert done.code == 2 and message in done.err
