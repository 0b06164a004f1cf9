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
from drawloom.sdk import name_fault
from drawloom.sdk.contract import read_checked
from drawloom.sdk.doors import Folder

CSV = connector.tools["files.stream_csv"]
JSONL = connector.tools["files.stream_jsonl"]


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


@pytest.mark.parametrize("tool", [CSV, JSONL])
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
