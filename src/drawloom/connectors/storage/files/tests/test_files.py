"""Reading and writing files, as chains do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawloom.connectors.storage.files import FilesConnection, connector
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError
from drawloom.sdk import Row, Stream, name_fault
from drawloom.sdk.contract import call_checked
from drawloom.sdk.doors import Doors, Folder

TOOLS = connector.tools


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    async with FilesConnection(folder=".", max_bytes=1_000_000).open(Doors(tmp_path)) as opened:
        yield opened


async def call(name: str, folder: Folder, **arguments: Any) -> Any:
    return await call_checked(TOOLS[f"files.{name}"], folder, **arguments)


async def failing(name: str, folder: Folder, **arguments: Any) -> Failure:
    with pytest.raises(Exception) as caught:
        await call(name, folder, **arguments)
    return name_fault(connector.faults, caught.value)


def put(folder: Folder, path: str, content: bytes | str) -> None:
    (folder.root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def raw(folder: Folder, path: str) -> bytes:
    return (folder.root / path).read_bytes()


# --- connection


async def test_a_folder_that_is_not_there_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(ConnectionUnusable, match="create it first"):
        async with FilesConnection(folder="none").open(Doors(tmp_path)):
            raise AssertionError("opened")


async def test_a_check_looks_into_the_folder(folder: Folder) -> None:
    put(folder, "a.txt", "a")
    found = await FilesConnection(folder=".").check(folder)
    assert found == {"folder": str(folder.root), "files": 1}


@pytest.mark.parametrize("tool", ["read_text", "read_csv", "read_jsonl", "exists", "delete"])
async def test_no_tool_leaves_the_folder(folder: Folder, tool: str) -> None:
    (folder.root / "link").symlink_to("/etc")
    for path in ("../x", "/etc/passwd", "a/../../x", "x\x00"):
        assert (await failing(tool, folder, path=path)).kind is FailureKind.INVALID
    assert (await failing(tool, folder, path="link/passwd")).kind is FailureKind.DENIED


@pytest.mark.parametrize(
    ("tool", "content"),
    [
        ("write_text", {"text": "x"}),
        ("write_csv", {"rows": [{"a": 1}]}),
        ("write_jsonl", {"rows": []}),
    ],
)
async def test_no_tool_writes_outside(folder: Folder, tool: str, content: Any) -> None:
    inside = folder.root / "inside"
    inside.mkdir()
    narrow = Folder(inside, max_bytes=100)
    for path in ("../x", "/x", "x/../../y"):
        assert (await failing(tool, narrow, path=path, **content)).kind is FailureKind.INVALID
    assert os.listdir(folder.root) == ["inside"]


@pytest.mark.parametrize("tool", ["read_text", "read_csv", "read_jsonl"])
async def test_large_files_are_refused_by_name_of_the_limit(folder: Folder, tool: str) -> None:
    put(folder, "large", "x" * 1_000_001)
    failure = await failing(tool, folder, path="large")
    assert failure.kind is FailureKind.INVALID
    assert failure.details == {"max_bytes": 1_000_000}
    assert "'large' has 1000001 bytes, over the limit of 1000000" in failure.message


@pytest.mark.parametrize("tool", ["read_text", "read_csv", "read_jsonl"])
async def test_missing_files_are_missing(folder: Folder, tool: str) -> None:
    assert (await failing(tool, folder, path="no.txt")).kind is FailureKind.MISSING


# --- texts

ENCODINGS = ["utf-8", "UTF8", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig"]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_texts_come_back_exactly(folder: Folder, encoding: str) -> None:
    text = "Grüße\r\n\tZeile\n\x00\x1a Ende"
    written = await call("write_text", folder, path="a/b.txt", text=text, encoding=encoding)
    assert written == {"path": "a/b.txt", "bytes": len(raw(folder, "a/b.txt"))}
    found = await call("read_text", folder, path="a/b.txt", encoding=encoding)
    assert found == {"text": text, "bytes": written["bytes"]}


async def test_a_byte_order_mark_is_no_text(folder: Folder) -> None:
    put(folder, "a.txt", b"\xef\xbb\xbfx")
    assert (await call("read_text", folder, path="a.txt"))["text"] == "x"


@pytest.mark.parametrize("encoding", ["no-such", "zip", "rot13", "hex", "", "x" * 200])
async def test_what_is_no_encoding_is_refused(folder: Folder, encoding: str) -> None:
    put(folder, "a.txt", "x")
    for tool, more in (("read_text", {}), ("read_csv", {}), ("write_text", {"text": "x"})):
        failure = await failing(tool, folder, path="a.txt", encoding=encoding, **more)
        assert failure.kind is FailureKind.INVALID
        assert "not a character encoding" in failure.message


async def test_what_does_not_fit_the_encoding_is_named(folder: Folder) -> None:
    put(folder, "a.txt", b"abc\xff")
    failure = await failing("read_text", folder, path="a.txt")
    assert failure.kind is FailureKind.INVALID
    assert "'a.txt': byte 3 is not utf-8" in failure.message
    failure = await failing("write_text", folder, path="b.txt", text="ab€", encoding="latin-1")
    assert failure.kind is FailureKind.INVALID
    assert "character 2, '€'" in failure.message
    assert not (folder.root / "b.txt").exists()


# --- CSV

ODD_ROWS = [
    {"id": "1", "text": 'a "quoted", field'},
    {"id": "2", "text": "two\nlines\r\nand\rthree"},
    {"id": "3", "text": ""},
    {"id": "4", "text": " spaces "},
    {"id": "5", "text": "=cmd|' /C calc'!A0"},
    {"id": "6", "text": "üß€😀\u2028\u0085\x00"},
    {"id": "", "text": ""},
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_odd_fields_come_back_exactly(folder: Folder, delimiter: str, encoding: str) -> None:
    how = {"path": "odd.csv", "delimiter": delimiter, "encoding": encoding}
    written = await call("write_csv", folder, rows=ODD_ROWS, **how)
    assert written["count"] == 7
    found = await call("read_csv", folder, **how)
    assert found == {
        "rows": ODD_ROWS, "columns": ["id", "text"], "count": 7, "truncated": False,
    }  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True)
    .flatmap(lambda names: st.tuples(
        st.just(names),
        st.lists(st.fixed_dictionaries({n: st.text(st.characters(exclude_categories=["Cs"])) for n in names})),
    ))
)  # fmt: skip
async def test_any_table_comes_back(folder: Folder, table: Any) -> None:
    names, rows = table
    if names[0].startswith("\ufeff"):
        return  # read as a byte order mark, which a name cannot begin with
    await call("write_csv", folder, path="any.csv", rows=rows, columns=names)
    found = await call("read_csv", folder, path="any.csv")
    assert (found["columns"], found["rows"]) == (names, rows)


async def test_types_convert_what_loses_nothing(folder: Folder) -> None:
    put(
        folder,
        "typed.csv",
        "\ufeffi,n,b,s\r\n-7,1.50,TRUE,007\r\n9007199254740991,1e3,false,\r\n,,,x\r\n0,12,true,-",
    )
    types = {"i": "integer", "n": "number", "b": "boolean", "s": "string"}
    found = await call("read_csv", folder, path="typed.csv", types=types)
    assert found["rows"] == [
        {"i": -7, "n": 1.5, "b": True, "s": "007"},
        {"i": 9007199254740991, "n": 1000.0, "b": False, "s": ""},
        {"i": None, "n": None, "b": None, "s": "x"},
        {"i": 0, "n": 12, "b": True, "s": "-"},
    ]
    assert type(found["rows"][3]["n"]) is int


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "007"), ("integer", "1.0"), ("integer", "9007199254740992"),
        ("integer", "+1"), ("integer", " 1"), ("integer", "-0"), ("integer", "1_000"),
        ("integer", "１"), ("integer", "x"), ("integer", "9" * 5_000),
        ("number", "1,5"), ("number", "0.1000000000000000055"), ("number", "1e400"),
        ("number", "12345678901234567890"), ("number", "nan"), ("number", "inf"),
        ("number", ".5"), ("number", "1e-400"), ("number", "0x10"), ("number", "007"),
        ("boolean", "1"), ("boolean", "yes"), ("boolean", "t"),
    ],
)  # fmt: skip
async def test_types_refuse_what_would_lose(folder: Folder, kind: str, text: str) -> None:
    put(folder, "lossy.csv", f'a,x\r\n"two\nlines",\r\n1,"{text}"\r\n')
    failure = await failing("read_csv", folder, path="lossy.csv", types={"x": kind})
    assert failure.kind is FailureKind.INVALID
    assert "'lossy.csv' line 4, column 'x': " in failure.message
    assert f"cannot be read as {kind}" in failure.message


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("a,b\n1,2\n3\n", {}, "line 3: 1 fields, not 2"),
        ("a,b\n1,2,3\n", {}, "line 2: 3 fields, not 2"),
        ("a,b\n\n1,2\n1\n", {}, "line 4: 1 fields"),
        ('a,b\n"x"y,2\n', {}, "line 2: "),
        ('a,b\n"never closed\n', {}, "line 2: "),
        ("", {}, "empty"),
        ("a,a\n", {}, "two columns are called 'a'"),
        (",a\n", {}, "column 1 has no name"),
        ("a,b\n", {"columns": ["x"]}, "has 2 columns; `columns` names 1"),
        ("a,b\n", {"columns": ["x", "x"]}, "two columns are called 'x'"),
        ("1,2\n", {"header": False}, "`columns` must name"),
        ("1,2\n", {"header": False, "columns": []}, "there is no column"),
        ("a\n1\n", {"types": {"b": "integer"}}, "no column 'b'"),
        (b"a\n1\n\xff\n", {}, "say the `encoding`"),
    ],
)
async def test_broken_tables_name_the_line(
    folder: Folder, content: bytes | str, arguments: Any, said: str
) -> None:
    put(folder, "broken.csv", content)
    failure = await failing("read_csv", folder, path="broken.csv", **arguments)
    assert failure.kind is FailureKind.INVALID
    assert said in failure.message


async def test_columns_may_be_named(folder: Folder) -> None:
    put(folder, "a.csv", ",x\n1,2\n")
    found = await call("read_csv", folder, path="a.csv", columns=["a", "b"])
    assert found["rows"] == [{"a": "1", "b": "2"}]
    found = await call("read_csv", folder, path="a.csv", columns=["a", "b"], header=False)
    assert found["rows"] == [{"a": "", "b": "x"}, {"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("limit", "count", "truncated"), [(0, 0, True), (2, 2, True), (3, 3, False), (None, 3, False)]
)
async def test_limits_are_honest(
    folder: Folder, limit: int | None, count: int, truncated: bool
) -> None:
    put(folder, "a.csv", "a\n1\n2\n3\n")
    put(folder, "a.jsonl", "1\n2\n3\n")
    for name in ("csv", "jsonl"):
        found = await call(f"read_{name}", folder, path=f"a.{name}", limit=limit)
        assert (found["count"], len(found["rows"]), found["truncated"]) == (
            count,
            count,
            truncated,
        )


async def test_a_long_field_is_read(folder: Folder) -> None:
    """The csv module's own limit is 131,072 characters."""
    put(folder, "long.csv", "a\n" + "x" * 500_000 + "\n")
    found = await call("read_csv", folder, path="long.csv")
    assert len(found["rows"][0]["a"]) == 500_000


async def test_values_are_written_as_text(folder: Folder) -> None:
    row = {"t": "x", "i": 7, "f": 0.1, "yes": True, "no": False, "nothing": None}
    await call("write_csv", folder, path="a.csv", rows=[row])
    assert raw(folder, "a.csv") == b"t,i,f,yes,no,nothing\r\nx,7,0.1,true,false,\r\n"


async def test_columns_order_the_fields(folder: Folder) -> None:
    rows = [{"a": 1, "b": 2}, {"b": 4, "a": 3}]
    await call("write_csv", folder, path="a.csv", rows=rows, columns=["b", "a"])
    assert raw(folder, "a.csv") == b"b,a\r\n2,1\r\n4,3\r\n"
    await call("write_csv", folder, path="a.csv", rows=[], columns=["b", "a"])
    assert raw(folder, "a.csv") == b"b,a\r\n"


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([{"a": 1, "b": 2}, {"a": 1}], {}, "rows/1: missing fields ['b']"),
        ([{"a": 1}, {"a": 1, "c": 2}], {}, "rows/1: missing fields [], unknown fields ['c']"),
        ([{"a": 1}], {"columns": ["b"]}, "rows/0: missing fields ['b'], unknown fields ['a']"),
        ([{"a": [1]}], {}, "rows/0/a: a field cannot hold a list"),
        ([{"a": {}}], {}, "rows/0/a: a field cannot hold a object"),
        ([], {}, "there is no column"),
        ([{"": 1}], {}, "column 1 has no name"),
        ([{"a": "€"}], {"encoding": "latin-1"}, "latin-1"),
    ],
)
async def test_rows_that_do_not_fit_leave_no_file(
    folder: Folder, rows: Any, more: Any, said: str
) -> None:
    put(folder, "a.csv", "old")
    failure = await failing("write_csv", folder, path="a.csv", rows=rows, **more)
    assert failure.kind is FailureKind.INVALID
    assert said in failure.message
    assert os.listdir(folder.root) == ["a.csv"]
    assert raw(folder, "a.csv") == b"old"


async def test_a_table_over_the_limit_leaves_no_file(folder: Folder) -> None:
    rows = [{"a": "x" * 1_000}] * 1_100
    failure = await failing("write_csv", folder, path="a.csv", rows=rows)
    assert "passes the limit of 1000000 bytes" in failure.message
    assert os.listdir(folder.root) == []


# --- JSON Lines


async def test_values_come_back_exactly(folder: Folder) -> None:
    rows = [{"a": [1, 2.5, None, True]}, "ü\n\u2028", 7, None, [], -0.5, 9007199254740991]
    written = await call("write_jsonl", folder, path="a.jsonl", rows=rows)
    assert written["count"] == 7
    assert raw(folder, "a.jsonl").count(b"\n") == 7
    found = await call("read_jsonl", folder, path="a.jsonl")
    assert found == {"rows": rows, "count": 7, "truncated": False}


async def test_marks_and_empty_lines_are_passed_over(folder: Folder) -> None:
    put(folder, "a.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n12345678901234567890')
    found = await call("read_jsonl", folder, path="a.jsonl")
    assert found["rows"] == [{"a": 1}, "12345678901234567890"]


@pytest.mark.parametrize(
    "line", ["{", '{"a": 1, "a": 2}', "NaN", "1 2", '"\\ud800"', "[" * 10_000]
)
async def test_a_broken_line_is_named(folder: Folder, line: str) -> None:
    put(folder, "a.jsonl", f"1\n\n{line}\n")
    failure = await failing("read_jsonl", folder, path="a.jsonl")
    assert failure.kind is FailureKind.INVALID
    assert "'a.jsonl' line 3" in failure.message


# --- finding, copying, deleting


async def test_files_are_listed(folder: Folder) -> None:
    for path in ("b.csv", "a.csv", "c.txt"):
        await call("write_text", folder, path=path, text="xy")
    await call("write_text", folder, path="sub/d.csv", text="")
    found = await call("list", folder, pattern="**/*.csv")
    assert [f["path"] for f in found["files"]] == ["a.csv", "b.csv", "sub/d.csv"]
    assert found["files"][0]["bytes"] == 2
    assert found["files"][0]["modified"].endswith("Z")
    found = await call("list", folder, limit=2)
    assert (found["count"], found["truncated"]) == (2, True)
    assert (await call("list", folder, limit=4))["truncated"] is False


async def test_presence_copies_and_deletion(folder: Folder) -> None:
    content = os.urandom(300_000)
    put(folder, "a.bin", content)
    assert await call("exists", folder, path="a.bin") == {"exists": True, "bytes": 300_000}
    copied = await call("copy", folder, source="a.bin", target="sub/b.bin")
    assert copied == {"path": "sub/b.bin", "bytes": 300_000}
    assert raw(folder, "sub/b.bin") == content
    assert await call("delete", folder, path="a.bin") == {"deleted": True}
    assert await call("delete", folder, path="a.bin") == {"deleted": False}
    assert await call("exists", folder, path="a.bin") == {"exists": False, "bytes": None}


def test_effects_say_what_may_be_repeated() -> None:
    effects = {name.partition(".")[2]: str(tool.effect) for name, tool in TOOLS.items()}
    changing = {"write_text", "write_csv", "write_jsonl", "copy", "delete"}
    assert {name for name, effect in effects.items() if effect == "idempotent"} == changing
    assert {effects.pop(name) for name in ("append_jsonl", "append_lines")} == {"keyed"}
    assert {effects[name] for name in effects.keys() - changing} == {"read"}


@pytest.mark.parametrize("name", ["write_csv", "write_jsonl"])
async def test_a_source_that_breaks_leaves_the_file_as_it_was(folder: Folder, name: str) -> None:
    folder.write("a.txt", b"before")

    async def breaking() -> AsyncIterator[list[Row]]:
        yield [{"a": 1}] * 500
        raise ToolError(Failure(FailureKind.TRANSIENT, "the line broke"))

    with pytest.raises(ToolError, match="the line broke"):
        await connector.tools[f"files.{name}"](folder, "a.txt", Stream(breaking()))
    assert folder.read("a.txt") == b"before"
    assert os.listdir(folder.root) == ["a.txt"]
