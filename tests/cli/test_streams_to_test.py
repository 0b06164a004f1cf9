"""`drawloom runs to-test --read-streams`: what came from a stream comes again, or there is no test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Bench

TOOLS = '''
from collections.abc import AsyncIterator

from drawloom.sdk import Chunk, Context, Failure, FailureKind, ToolError


@tool(effect="read")
async def rows(context: Context) -> AsyncIterator[Chunk[str]]:
    """The lines of a file: one, and then as many as are asked for."""
    with (HERE / "opened").open("a") as file:
        file.write(f"{context.after}\\n")
    lines = (HERE / "rows.txt").read_text().splitlines()
    at = context.after or 0
    while at < len(lines):
        if lines[at] == "broken" and not (HERE / "mended").exists():
            (HERE / "mended").touch()
            raise ToolError(Failure(FailureKind.TRANSIENT, "the line is broken"))
        size = context.batch if at else 1
        yield Chunk(lines[at : at + size], at := min(at + size, len(lines)))


@tool(effect="idempotent")
def keep(lines: list[str]) -> int:
    """Keep lines."""
    with (HERE / "kept").open("a") as file:
        file.writelines(f"{line}\\n" for line in lines)
    return len(lines)
'''
KEEPING = """\
chain: keeping
steps:
  rows: {use: my.rows, retry: {attempts: 2, delay: 1ms}}
  keep: {use: my.keep, for_each: "${steps.rows}", batch: 1000, with: {lines: "${item}"}}
output: "${steps.keep}"
"""


@pytest.fixture
def keeping(bench: Bench) -> Bench:
    with (bench.folder / "tools.py").open("a") as file:
        file.write(TOOLS)
    (bench.folder / "keeping.yaml").write_text(KEEPING.replace("1000", "2"))
    (bench.folder / "rows.txt").write_text("one\ntwo\nthree\n")
    return bench


def test_streams_are_read_again_only_if_asked_for(keeping: Bench, ran: Callable[..., str]) -> None:
    run = ran("keeping")
    done = keeping.here("runs", "to-test", run)
    assert (done.code, "step 'rows'" in done.err, "--read-streams" in done.err) == (2, True, True)
    assert keeping.lines("opened") == ["None"]

    words = ("--read-streams", "--out", "keeping.test.yaml", "--json")
    done = keeping.here("runs", "to-test", run, *words)
    assert done.code == 0, done.err
    answers = done.json["test"]["answers"]
    assert answers["rows"] == {"output": ["one", "two", "three"], "chunks": [1, 2]}
    assert answers["keep[1]#1"] == {"output": 2}
    (keeping.folder / "rows.txt").unlink()  # the test needs it no more
    tested = keeping.here("test", "keeping.test.yaml")
    assert tested.code == 0, tested.out
    assert keeping.lines("opened") == ["None", "None"]
    kept = keeping.lines("kept")  # the two calls run side by side
    assert sorted(kept) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("one\ntwo\n", "came 2 items up to 3 then, and came 1 items up to 2 now"),
        ("one\ntwo\nthree\nfour\n", "came its end then, and came 1 items up to 4 now"),
    ],
)
def test_a_stream_that_has_changed_gives_no_test(
    keeping: Bench, ran: Callable[..., str], text: str, says: str
) -> None:
    run = ran("keeping")
    (keeping.folder / "rows.txt").write_text(text)
    words = ("--read-streams", "--out", "keeping.test.yaml")
    done = keeping.here("runs", "to-test", run, *words)
    assert (done.code, says in done.err) == (2, True), done.err
    assert not (keeping.folder / "keeping.test.yaml").exists()


def test_a_stream_that_cannot_be_read_again_says_why(
    keeping: Bench, ran: Callable[..., str]
) -> None:
    run = ran("keeping")
    (keeping.folder / "rows.txt").unlink()
    done = keeping.here("runs", "to-test", run, "--read-streams")
    assert (done.code, "rows.txt" in done.err) == (2, True), done.err


def test_too_much_is_not_read(keeping: Bench, ran: Callable[..., str]) -> None:
    (keeping.folder / "keeping.yaml").write_text(KEEPING)
    (keeping.folder / "rows.txt").write_text("row\n" * 10_001)
    run = ran("keeping")
    done = keeping.here("runs", "to-test", run, "--read-streams")
    assert (done.code, "10,001 items" in done.err) == (2, True), done.err
    assert keeping.lines("opened") == ["None"]


def test_a_reading_that_failed_fails_in_the_test(keeping: Bench, ran: Callable[..., str]) -> None:
    (keeping.folder / "rows.txt").write_text("one\nbroken\nthree\n")
    run = ran("keeping")
    assert keeping.lines("opened") == ["None", "1"]
    done = keeping.here("runs", "to-test", run, "--read-streams", "--json")
    assert done.code == 0, (done.err, done.out)
    failed = done.json["test"]["answers"]["keep<1#1"]
    assert failed == {"fail": {"kind": "transient", "message": "the line is broken"}}


def test_a_run_that_never_came_to_read_needs_nothing(
    keeping: Bench, ran: Callable[..., str]
) -> None:
    text = KEEPING.replace("batch: 1000", "when: input.go, batch: 2")
    text = text.replace("steps:", "input: {go: {type: boolean, default: false}}\nsteps:")
    (keeping.folder / "keeping.yaml").write_text(text.replace("steps.keep}", "steps.keep ?? 0}"))
    done = keeping.here("runs", "to-test", ran("keeping"))
    assert done.code == 0, done.err


@pytest.mark.parametrize(("batch", "code"), [(1, 0), (2, 2)])
def test_two_steps_that_read_one_stream_need_one_answer(
    keeping: Bench, ran: Callable[..., str], batch: int, code: int
) -> None:
    """One by one items come alike; in twos the first reading gives one, and sizes differ."""
    text = KEEPING.replace("1000", str(batch)).replace(
        "output:", '  more: {use: my.keep, for_each: "${steps.rows}", batch: 1,'
        ' with: {lines: "${item}"}}\noutput:',
    )  # fmt: skip
    (keeping.folder / "keeping.yaml").write_text(text)
    done = keeping.here("runs", "to-test", ran("keeping"), "--read-streams")
    assert (done.code, "differently" in done.err) == (code, code == 2), done.err
