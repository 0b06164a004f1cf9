"""The folder door: nothing outside is reached, and a write is whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from drawloom.doors import METER, Doors, Folder, Meter
from drawloom.errors import ConnectionUnusable, FailureKind, ToolError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    (inside / "sub" / "deep").mkdir(parents=True)
    (inside / "a.txt").write_text("a")
    (inside / "sub" / "b.txt").write_text("bb")
    (inside / "sub" / "deep" / "c.csv").write_text("ccc")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    return inside


@pytest.fixture
def folder(root: Path) -> Folder:
    return Folder(root, max_bytes=1_000)


def kind_of(caught: pytest.ExceptionInfo[ToolError]) -> FailureKind:
    return caught.value.failure.kind


ESCAPES = [
    "",
    "..",
    "../outside/secret.txt",
    "sub/../../outside/secret.txt",
    "sub/../a.txt",
    "./a.txt",
    "sub//b.txt",
    "sub/",
    "/etc/passwd",
    "//etc/passwd",
    "a.txt\x00.csv",
    "a\nb",
    "..\\outside\\secret.txt",
    "C:\\secret",
    "x" * 300,
    "/".join(["d"] * 100),
]


@pytest.mark.parametrize("path", ESCAPES)
def test_paths_that_leave_are_refused_everywhere(folder: Folder, path: str) -> None:
    operations = [
        lambda: folder.read(path),
        lambda: folder.write(path, b"x"),
        lambda: folder.delete(path),
        lambda: folder.find(path),
        lambda: folder.copy("a.txt", path),
        lambda: folder.copy(path, "x.txt"),
        lambda: list(folder.entries(path)),
    ]
    for operation in operations:
        with pytest.raises(ToolError, match=r"^path ") as caught:
            operation()
        assert kind_of(caught) is FailureKind.INVALID


@pytest.mark.parametrize("target", ["../outside/secret.txt", "a.txt"])
def test_a_linked_file_is_never_touched(root: Path, folder: Folder, target: str) -> None:
    (root / "link.txt").symlink_to(target)
    for operation in (
        lambda: folder.read("link.txt"),
        lambda: folder.write("link.txt", b"x"),
        lambda: folder.delete("link.txt"),
        lambda: folder.find("link.txt"),
        lambda: folder.copy("link.txt", "copy.txt"),
    ):
        with pytest.raises(ToolError, match="links are not followed") as caught:
            operation()
        assert kind_of(caught) is FailureKind.DENIED
    assert (root / "link.txt").is_symlink()
    assert (root.parent / "outside" / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize("target", ["../outside", "sub"])
def test_a_linked_folder_is_never_entered(root: Path, folder: Folder, target: str) -> None:
    (root / "linked").symlink_to(target)
    for operation in (
        lambda: folder.read("linked/secret.txt"),
        lambda: folder.write("linked/new.txt", b"x"),
        lambda: folder.write("linked/new/new.txt", b"x"),
        lambda: folder.delete("linked/secret.txt"),
    ):
        with pytest.raises(ToolError, match="link") as caught:
            operation()
        assert kind_of(caught) is FailureKind.DENIED
    assert not (root.parent / "outside" / "new.txt").exists()
    assert all("linked" not in entry.path for entry in folder.entries("**"))


def test_a_folder_swapped_for_a_link_leads_nowhere(root: Path, folder: Folder) -> None:
    """The race that resolve-then-open loses: the swap comes after the first look."""
    stop = threading.Event()
    kept, linked = root / "sub", root / "was"

    def swap() -> None:
        while not stop.is_set():
            kept.rename(linked)
            kept.symlink_to("../outside")
            kept.unlink()
            linked.rename(kept)

    (root / "sub" / "secret.txt").write_text("inside")
    swapping = threading.Thread(target=swap)
    swapping.start()
    read = refused = 0
    try:
        for turn in range(200_000):
            if turn > 2_000 and read and refused:
                break
            try:
                assert folder.read("sub/secret.txt") == b"inside"
                read += 1
            except ToolError:
                refused += 1
    finally:
        stop.set()
        swapping.join()
    assert read
    assert refused


def test_a_fifo_neither_hangs_nor_opens(root: Path, folder: Folder) -> None:
    os.mkfifo(root / "pipe")
    for operation in (
        lambda: folder.read("pipe"),
        lambda: folder.write("pipe", b"x"),
        lambda: folder.delete("pipe"),
        lambda: folder.find("pipe"),
    ):
        with pytest.raises(ToolError, match="not a regular file") as caught:
            operation()
        assert kind_of(caught) is FailureKind.INVALID


def test_folders_and_devices_are_no_files(root: Path, folder: Folder) -> None:
    with pytest.raises(ToolError, match="not a regular file"):
        folder.read("sub")
    with pytest.raises(ToolError, match="not a regular file"):
        Folder(Path("/dev"), max_bytes=10).read("zero")


def test_what_is_not_there_is_missing(folder: Folder) -> None:
    for path in ("no.txt", "no/such/file.txt"):
        with pytest.raises(ToolError, match=path) as caught:
            folder.read(path)
        assert kind_of(caught) is FailureKind.MISSING
        assert folder.find(path) is None
        assert folder.delete(path) is False


def test_errors_do_not_tell_where_the_folder_is(root: Path, folder: Folder) -> None:
    with pytest.raises(ToolError) as caught:
        folder.read("no.txt")
    assert str(root.parent) not in str(caught.value)


def test_reading_stops_at_the_limit(root: Path, folder: Folder) -> None:
    (root / "large.bin").write_bytes(b"x" * 1_001)
    with pytest.raises(ToolError, match=r"'large.bin' has 1001 bytes, over the limit of 1000"):
        folder.read("large.bin")
    (root / "large.bin").write_bytes(b"x" * 1_000)
    assert len(folder.read("large.bin")) == 1_000


def test_a_file_that_grows_stops_at_the_limit(root: Path, folder: Folder) -> None:
    path = root / "growing.log"
    path.write_bytes(b"x" * 900)
    with folder.open("growing.log") as file:
        assert len(file.read(500)) == 500
        with path.open("ab") as more:
            more.write(b"x" * 500)
        with pytest.raises(ToolError, match="passes the limit of 1000 bytes"):
            file.read()


def test_writing_stops_at_the_limit_and_leaves_nothing(root: Path, folder: Folder) -> None:
    with pytest.raises(ToolError, match="passes the limit of 1000 bytes"):
        folder.write("large.bin", b"x" * 1_001)
    assert sorted(os.listdir(root)) == ["a.txt", "sub"]


def test_a_write_makes_folders_and_is_whole(root: Path, folder: Folder) -> None:
    assert folder.write("new/and/deep.txt", b"content") == 7
    assert (root / "new/and/deep.txt").read_bytes() == b"content"
    assert os.listdir(root / "new/and") == ["deep.txt"]


def test_a_failed_write_keeps_the_old_content(root: Path, folder: Folder) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), folder.replace("a.txt") as file:
        file.write(b"half of it")
        raise RuntimeError("in the middle")
    assert (root / "a.txt").read_text() == "a"
    assert sorted(os.listdir(root)) == ["a.txt", "sub"]


def test_readers_see_the_old_or_the_new(root: Path, folder: Folder) -> None:
    with folder.replace("a.txt") as file:
        file.write(b"new")
        assert folder.read("a.txt") == b"a"
        assert [entry.path for entry in folder.entries("*")] == ["a.txt"]
    assert folder.read("a.txt") == b"new"


def test_what_is_written_is_synced_before_it_is_renamed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def noted_replace(*args: object, **kwargs: object) -> None:
        calls.append("rename")
        replace(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    folder.write("a.txt", b"new")
    assert calls == ["file", "rename", "folder"]


def test_a_full_disk_is_named_and_harms_nothing(
    root: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ToolError, match=r"'a.txt': the disk is full") as caught:
        folder.write("a.txt", b"new")
    assert kind_of(caught) is FailureKind.TRANSIENT
    assert (root / "a.txt").read_text() == "a"
    assert sorted(os.listdir(root)) == ["a.txt", "sub"]


def test_the_mode_of_a_file_is_kept(root: Path, folder: Folder) -> None:
    (root / "a.txt").chmod(0o600)
    folder.write("a.txt", b"new")
    assert stat.S_IMODE((root / "a.txt").stat().st_mode) == 0o600


def test_descriptors_are_given_back(root: Path, folder: Folder) -> None:
    def once() -> None:
        folder.write("sub/new.txt", b"x")
        folder.copy("sub/new.txt", "sub/deep/copy.txt")
        list(folder.entries("**"))
        next(iter(folder.entries("**")))
        folder.delete("sub/new.txt")
        for path in ("no/such.txt", "sub", "../x"):
            with pytest.raises(ToolError):
                folder.read(path)

    once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        once()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**", ["a.txt", "sub/b.txt", "sub/deep/c.csv"]),
        ("*", ["a.txt"]),
        ("*.txt", ["a.txt"]),
        ("**/*.txt", ["a.txt", "sub/b.txt"]),
        ("sub/*", ["sub/b.txt"]),
        ("sub/**", ["sub/b.txt", "sub/deep/c.csv"]),
        ("*/*/*", ["sub/deep/c.csv"]),
        ("**/deep/**", ["sub/deep/c.csv"]),
        ("[ab].txt", ["a.txt"]),
        ("sub/?.txt", ["sub/b.txt"]),
        ("no/**", []),
    ],
)
def test_patterns(folder: Folder, pattern: str, found: list[str]) -> None:
    assert [entry.path for entry in folder.entries(pattern)] == found


def test_many_stars_do_not_take_for_ever(root: Path, folder: Folder) -> None:
    (root / "/".join("d" * 40)).mkdir(parents=True)
    (root / "/".join("d" * 40) / "x.txt").touch()
    assert list(folder.entries("/".join(["**", "d"] * 20 + ["**", "no.txt"]))) == []


def test_bytes_are_metered(folder: Folder) -> None:
    token = METER.set(meter := Meter())
    try:
        folder.write("x.txt", b"x" * 100)
        folder.copy("x.txt", "y.txt")
    finally:
        METER.reset(token)
    assert (meter.bytes_in, meter.bytes_out) == (100, 200)


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConnectionUnusable, match="create it first"):
        Folder(tmp_path / "none", max_bytes=1)
    with pytest.raises(ConnectionUnusable, match="not a folder"):
        Folder(tmp_path / "file", max_bytes=1)


def test_a_relative_folder_begins_at_the_root(root: Path) -> None:
    doors = Doors(root=root)
    assert doors.folder("sub", max_bytes=10).read("b.txt") == b"bb"
    assert doors.folder(root / "sub", max_bytes=10).read("b.txt") == b"bb"
