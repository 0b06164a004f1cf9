"""Files as streams: any batch size gives the same rows, from any cursor on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.connectors.storage.files import connector
from drawloom.errors import FailureKind
from drawloom.project import Project
from drawloom.sdk import name_fault
from drawloom.sdk.contract import read_checked
from drawloom.sdk.doors import Folder

CSV = connector.tools["files.stream_csv"]
JSONL = connector.tools["files.stream_jsonl"]
EXAMPLES = Path(__file__).parents[1] / "examples"
LINES = connector.tools["files.stream_lines"]


async def read(tool: Any, folder: Folder, batch: int, after: Any = None) -> Any:
    return await read_checked(tool, folder, batch=batch, after=after, path="f")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8)


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=12), batch=st.integers(1, 5))
async def test_a_csv_stream_gives_each_record_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], batch: int
) -> None:
    folder = Folder(tmp_path_factory.mktemp("f"), max_bytes=1_000_000)
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(("a", "b"))
    writer.writerows(rows)
    (folder.root / "f").write_bytes(text.getvalue().encode())
    chunks = await read(CSV, folder, batch)
    assert [(row["a"], row["b"]) for chunk in chunks for row in chunk] == rows
    assert all(len(chunk) == batch for chunk in chunks[:-1])


@given(values=st.lists(st.integers() | CELLS, max_size=12), batch=st.integers(1, 5))
async def test_a_jsonl_stream_gives_each_value_once(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], batch: int
) -> None:
    import json

    folder = Folder(tmp_path_factory.mktemp("f"), max_bytes=1_000_000)
    kept = [v for v in values if not isinstance(v, int) or abs(v) < 2**53]
    (folder.root / "f").write_text("".join(json.dumps(v) + "\n\n" for v in kept))
    assert [v for chunk in await read(JSONL, folder, batch) for v in chunk] == kept


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8)


@given(
    lines=st.lists(TEXTS.filter(lambda line: not line.endswith("\r")), max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    open_end=st.booleans(),
    batch=st.integers(1, 5),
)
async def test_a_stream_of_lines_gives_each_line_once(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    end: str,
    open_end: bool,
    batch: int,
) -> None:
    folder = Folder(tmp_path_factory.mktemp("f"), max_bytes=1_000_000)
    text = "".join(line + end for line in lines)
    if open_end and lines and lines[-1]:
        text = text.removesuffix(end)
    (folder.root / "f").write_bytes(b"\xef\xbb\xbf" + text.encode())
    chunks = await read(LINES, folder, batch)
    assert [line for chunk in chunks for line in chunk] == lines
    assert all(len(chunk) == batch for chunk in chunks[:-1])


async def test_the_cursor_of_lines_is_a_place_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a\r\n\xc3\xa9\rb\n\nlast")
    folder = Folder(tmp_path, max_bytes=1_000)
    assert await read(LINES, folder, 9) == [["a", "é\rb", "", "last"]]
    assert await read(LINES, folder, 9, after=3) == [["é\rb", "", "last"]]
    assert await read(LINES, folder, 9, after=9) == [["last"]]
    assert await read(LINES, folder, 9, after=13) == []


async def test_the_example_of_lines_runs(tmp_path: Path) -> None:
    (tmp_path / "drawloom.toml").write_text('[connections.data]\nkind = "files"\nfolder = "."\n')
    (tmp_path / "poem.txt").write_bytes(b"warp\r\n\r\nweft" + b"\nx" * 600)
    project = Project.find(tmp_path)
    chain = project.load_chain(EXAMPLES / "upper_case_lines.yaml")
    assert project.findings(chain) == ()
    async with project.engine(durability="memory") as engine:
        result = await engine.run(project.checked_plan(chain), {})
    assert result.output == {"lines": 603}, result.failure
    assert (tmp_path / "capitals.txt").read_text() == "WARP\n\nWEFT\n" + "X\n" * 600


async def test_a_line_that_is_no_text_or_too_long_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drawloom.connectors.storage.files.streams._LONGEST_LINE", 8)
    folder = Folder(tmp_path, max_bytes=1_000)
    for content, told in ((b"fine\n\xff\n", "before byte 7"), (b"ok\n" + b"x" * 9, "more than 8")):
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(Exception, match=told) as raised:
            await read(LINES, folder, 1)
        assert name_fault(connector.faults, raised.value).kind is FailureKind.INVALID


@pytest.mark.parametrize("tool", [CSV, JSONL, LINES])
async def test_a_file_that_ends_before_its_reader_is_a_conflict(tmp_path: Path, tool: Any) -> None:
    (tmp_path / "f").write_text("1\n")
    with pytest.raises(Exception) as raised:
        await read(tool, Folder(tmp_path, max_bytes=1_000), 1, after=100)
    assert name_fault(connector.faults, raised.value).kind is FailureKind.CONFLICT


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a,\n1,2\n", "a,b\n1\n", 'a\n"x\n'])
async def test_a_csv_file_that_is_broken_is_invalid(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(Exception) as raised:
        await read(CSV, Folder(tmp_path, max_bytes=1_000), 1)
    assert name_fault(connector.faults, raised.value).kind is FailureKind.INVALID
