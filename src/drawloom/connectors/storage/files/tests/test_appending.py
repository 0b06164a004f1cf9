"""Each call's part is added once, whatever crashes; what others wrote is never cut."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawloom.connectors.storage.files import FilesConnection, connector
from drawloom.connectors.storage.files.notes import Notes
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked
from drawloom.sdk.doors import Doors, Folder

JSONL = connector.tools["files.append_jsonl"]
LINES = connector.tools["files.append_lines"]


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    async with FilesConnection(folder=".").open(Doors(tmp_path)) as opened:
        yield opened


async def add(folder: Folder, key: str, *values: Any, tool: Any = JSONL) -> Any:
    given = {"rows": list(values)} if tool is JSONL else {"lines": list(map(str, values))}
    return await call_checked(tool, folder, path="o.jsonl", context=Context(key=key), **given)


async def failing(folder: Folder, key: str, *values: Any, tool: Any = JSONL) -> Failure:
    with pytest.raises(Exception) as raised:
        await add(folder, key, *values, tool=tool)
    return name_fault(connector.faults, raised.value)


def text(folder: Folder) -> str:
    return (folder.root / "o.jsonl").read_text()


@pytest.mark.parametrize("tool", [JSONL, LINES])
async def test_parts_follow_each_other_and_a_key_adds_once(folder: Folder, tool: Any) -> None:
    assert (await add(folder, "a", 1, 2, tool=tool))["again"] is False
    assert await add(folder, "b", 3, tool=tool) == {
        "path": "o.jsonl", "bytes": 2, "count": 1, "again": False,
    }  # fmt: skip
    assert (await add(folder, "a", 1, 2, tool=tool))["again"] is True
    assert text(folder) == "1\n2\n3\n"


async def test_lines_and_values_go_into_one_file(folder: Folder) -> None:
    await add(folder, "a", "é, \u2028", "", tool=LINES)
    await add(folder, "b", {"a": "é"})
    assert text(folder) == 'é, \u2028\n\n{"a":"é"}\n'


@pytest.mark.parametrize("line", ["a\nb", "a\r", "\r\n"])
async def test_a_line_that_holds_a_break_is_refused(folder: Folder, line: str) -> None:
    failure = await failing(folder, "a", "whole", line, tool=LINES)
    assert failure.kind is FailureKind.INVALID
    assert "lines[1]" in failure.message
    assert not list(folder.root.iterdir())


@pytest.mark.parametrize(("before", "after"), [("0\n", "0\n1\n"), ("0", "0\n1\n"), ("", "1\n")])
async def test_what_was_there_before_stays(folder: Folder, before: str, after: str) -> None:
    (folder.root / "o.jsonl").write_text(before)
    await add(folder, "a")  # nothing to add is nothing to end a line for
    assert text(folder) == before
    await add(folder, "b", 1)
    assert text(folder) == after


async def test_what_another_program_added_is_never_cut(folder: Folder) -> None:
    await add(folder, "a", 1)
    with (folder.root / "o.jsonl").open("a") as file:
        file.write('"other"\n')
    assert (await failing(folder, "b", 2)).kind is FailureKind.CONFLICT
    assert text(folder) == '1\n"other"\n'


@pytest.mark.parametrize("key", ["a", "b"])
async def test_a_file_that_became_shorter_is_a_conflict(folder: Folder, key: str) -> None:
    await add(folder, "a", 1, 2, 3)
    (folder.root / "o.jsonl").write_text("")
    assert (await failing(folder, key, 1, 2, 3)).kind is FailureKind.CONFLICT
    assert text(folder) == ""


async def test_a_look_up_costs_the_same_however_many_parts_there_are(folder: Folder) -> None:
    """What is read of the notes: four records for 10,000 parts, five for 100,000."""
    keys = [f"run/step[{number}]" for number in range(3_000)]
    with folder.open_to_add("notes") as file:
        notes = Notes(file, "notes")
        notes.found(0)
        for key in keys[:-1]:
            notes.begin(key, 2)
            notes.done()
    counted = Counted((folder.root / "notes").open("r+b"))
    with counted.file:
        notes = Notes(counted, "notes")  # type: ignore[arg-type]
        assert [notes.length(key) for key in keys[-9:]] == [2] * 8 + [None]
        assert counted.read_bytes < 9 * 8 * 150
        assert notes.end == 2 * 2_999


class Counted:
    """A file that counts what is read."""

    def __init__(self, file: Any) -> None:
        self.file, self.read_bytes = file, 0

    def read(self, size: int) -> bytes:
        self.read_bytes += size
        found: bytes = self.file.read(size)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize(
    "notes", [b'["", 0]\n["a", 2]\n', b'["", 0]\n' + b'["a", 2]\n' * 100, b"?"]
)
async def test_notes_of_another_version_are_refused(folder: Folder, notes: bytes) -> None:
    (folder.root / ".o.jsonl.parts").write_bytes(notes)
    failure = await failing(folder, "a", 1)
    assert failure.kind is FailureKind.CONFLICT
    assert (
        "'.o.jsonl.parts', which notes what was added, is not of this version" in failure.message
    )
    assert not (folder.root / "o.jsonl").exists()
    assert (folder.root / ".o.jsonl.parts").read_bytes() == notes


@pytest.mark.parametrize("place", [20, -240])
async def test_damaged_notes_are_refused(folder: Folder, place: int) -> None:
    for key in "abcdefgh":
        await add(folder, key, 1)
    path = folder.root / ".o.jsonl.parts"
    bad = bytearray(path.read_bytes())
    place %= len(bad)
    bad[place : place + 200] = b"\xff" * 200
    path.write_bytes(bad)
    assert (await failing(folder, "a", 1)).kind is FailureKind.CONFLICT


class Killed(BaseException):
    """The process ends here."""


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kills=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 9)), max_size=4
    )
)
async def test_a_crash_at_any_write_loses_and_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[str, int, int]]
) -> None:
    """Each write to the disk may be the last, and only a part of it may come there."""
    folder = Folder(tmp_path_factory.mktemp("f"), max_bytes=1_000_000)
    for key, at, share in kills:
        with suppress(Killed):
            await add(Cutting(folder, at, share / 10), key, *ROWS[key])  # type: ignore[arg-type]
    for key in "ab":
        await add(folder, key, *ROWS[key])
    lines = text(folder).splitlines()
    parts = {"a": ["1", "2", "3"], "b": ["4"]}
    assert lines in (parts["a"] + parts["b"], parts["b"] + parts["a"])


ROWS = {"a": [1, 2, 3], "b": [4]}


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
async def test_a_crash_at_any_byte_loses_and_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory, lost: bool
) -> None:
    """Of the first call and of a later one. With *lost*, what was not synced is gone, too."""
    root = tmp_path_factory.mktemp("f")
    for before in ("", "a"):
        uncut = await copied(root, before)
        counting = Cutting(uncut, at=10_000)
        await add(counting, "b", 4)  # type: ignore[arg-type]
        assert len(counting.sizes) >= 5
        for at, size in enumerate(counting.sizes):
            for cut in range(size):
                folder = await copied(root, before)
                cutting = Cutting(folder, at, cut / size)
                with pytest.raises(Killed):
                    await add(cutting, "b", 4)  # type: ignore[arg-type]
                if lost:
                    cutting.lose()
                for key in ("b", "c", "b", "a"):
                    await add(folder, key, *ROWS.get(key, [5]))
                rest = ["4", "5"] if before else ["4", "5", "1", "2", "3"]
                assert text(folder).splitlines() == ["1", "2", "3"] * len(before) + rest, (at, cut)


async def copied(root: Path, keys: str) -> Folder:
    """A new folder to which these parts have been added."""
    made = Path(tempfile.mkdtemp(dir=root))
    folder = Folder(made, max_bytes=1_000_000)
    for key in keys:
        await add(folder, key, *ROWS[key])
    return folder


class Cutting:
    """A folder where the process ends in write number *at*, of which a *share* comes to the disk.

    `sizes` are the bytes of each write so far; a file that is written whole counts as one.
    """

    def __init__(self, folder: Folder, at: int, share: float = 0) -> None:
        self._folder, self._at, self._share = folder, at, share
        self._synced: dict[str, bytes] = {}
        self.sizes: list[int] = []

    def lose(self) -> None:
        """The machine has ended, too: what was not synced never came to the disk."""
        for path, content in self._synced.items():
            (self._folder.root / path).write_bytes(content)

    def cut(self, content: bytes, size: int) -> bytes | None:
        """What still comes to the disk of this write, None for all of it."""
        self.sizes.append(size)
        if len(self.sizes) <= self._at:
            return None
        return content[: round(len(content) * self._share)]

    def synced(self, path: str) -> None:
        self._synced[path] = (self._folder.root / path).read_bytes()

    @contextmanager
    def open_to_add(self, path: str) -> Iterator[Any]:
        with self._folder.open_to_add(path) as file:
            self._synced.setdefault(path, (self._folder.root / path).read_bytes())
            yield _File(file, self, path)
        self.synced(path)

    def write(self, path: str, content: bytes) -> int:
        if self.cut(content, 1) is not None:
            raise Killed
        return self._folder.write(path, content)

    def read(self, path: str) -> bytes:
        return self._folder.read(path)


class _File:
    def __init__(self, file: Any, folder: Cutting, path: str) -> None:
        self._file, self._folder, self._path = file, folder, path

    def write(self, content: bytes) -> None:
        cut = self._folder.cut(content, len(content))
        self._file.write(content if cut is None else cut)
        if cut is not None:
            self._file.flush()
            raise Killed

    def fileno(self) -> int:
        """Asked for to sync the file."""
        self._folder.synced(self._path)
        number: int = self._file.fileno()
        return number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize(("tool", "given"), [(JSONL, {"rows": [1]}), (LINES, {"lines": ["a"]})])
def test_a_plan_tells_what_would_be_added(tmp_path: Path, tool: Any, given: Any) -> None:
    folder = Folder(tmp_path, max_bytes=1_000)
    [touch] = tool.planner(folder, path="f", **given)
    assert (touch.does, touch.what) == ("creates", "f, 1 more lines")
    (tmp_path / "f").write_text("a\n")
    [touch] = tool.planner(folder, path="f", **given)
    assert (touch.does, touch.what) == ("changes", "f, 1 more lines; now 2 bytes")
    assert not list(tmp_path.glob(".*"))
