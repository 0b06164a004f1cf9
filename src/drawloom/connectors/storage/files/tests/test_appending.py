"""Each call's part is added once, whatever crashes; what others wrote is never cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawloom.connectors.storage.files import FilesConnection, connector
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked
from drawloom.sdk.doors import Doors, Folder

TOOL = connector.tools["files.append_jsonl"]


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    async with FilesConnection(folder=".").open(Doors(tmp_path)) as opened:
        yield opened


async def add(folder: Folder, key: str, *rows: Any) -> Any:
    return await call_checked(
        TOOL, folder, path="o.jsonl", rows=list(rows), context=Context(key=key)
    )


async def failing(folder: Folder, key: str, *rows: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await add(folder, key, *rows)
    return name_fault(connector.faults, raised.value)


def text(folder: Folder) -> str:
    return (folder.root / "o.jsonl").read_text()


async def test_parts_follow_each_other_and_a_key_adds_once(folder: Folder) -> None:
    assert (await add(folder, "a", 1, 2))["again"] is False
    assert (await add(folder, "b", 3))["bytes"] == 2
    assert (await add(folder, "a", 1, 2))["again"] is True
    assert text(folder) == "1\n2\n3\n"


async def test_what_was_there_before_stays(folder: Folder) -> None:
    (folder.root / "o.jsonl").write_text("0\n")
    await add(folder, "a", 1)
    assert text(folder) == "0\n1\n"


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


class Killed(BaseException):
    """The process ends here."""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        count = 0

        def writes(file: Any, content: bytes, at: int = at, share: int = share) -> None:
            nonlocal count
            count += 1
            if count > at:
                file.write(content[: len(content) * share // 10])
                file.flush()
                raise Killed
            file.write(content)

        try:
            await add(Cutting(folder, writes), key, *ROWS[key])  # type: ignore[arg-type]
        except Killed:
            pass
    for key in "ab":
        await add(folder, key, *ROWS[key])
    lines = text(folder).splitlines()
    parts = {"a": ["1", "2", "3"], "b": ["4"]}
    assert lines in (parts["a"] + parts["b"], parts["b"] + parts["a"])


ROWS = {"a": [1, 2, 3], "b": [4]}


class Cutting:
    """A folder whose files are written by *writes*."""

    def __init__(self, folder: Folder, writes: Any) -> None:
        self._folder, self._writes = folder, writes

    def open_to_add(self, path: str) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def opened() -> Any:
            with self._folder.open_to_add(path) as file:
                yield _File(file, self._writes)

        return opened()

    def write(self, path: str, content: bytes) -> int:
        return self._folder.write(path, content)

    def read(self, path: str) -> bytes:
        return self._folder.read(path)


class _File:
    def __init__(self, file: Any, writes: Any) -> None:
        self._file, self._writes = file, writes

    def write(self, content: bytes) -> None:
        self._writes(self._file, content)

    def __iter__(self) -> Any:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
