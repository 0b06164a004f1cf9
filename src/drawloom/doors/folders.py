"""The door to files: everything stays inside one folder, and a write is whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from drawloom.doors.file_faults import naming, too_large
from drawloom.doors.limited import LimitedReader, LimitedWriter
from drawloom.doors.paths import matches, segments
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError, invalid

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that was put in place meanwhile would hang.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ADD = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_UNFINISHED = ".drawloom-part"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the folder: `path` relative to it, size in `bytes`, `modified` in Unix seconds."""

    path: str
    bytes: int
    modified: float


class Folder:
    """Files inside *root*, of at most *max_bytes* each.

    Each part of a path is opened relative to the folder before it and no
    symbolic link is followed, so that nothing that is swapped in meanwhile can
    lead outside. Only regular files are read or replaced. All methods block:
    call them in a thread. They raise `ToolError` naming the path.
    """

    __slots__ = ("max_bytes", "root")

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        try:
            self.root = root.resolve(strict=True)
        except OSError as exc:
            raise ConnectionUnusable(f"folder {root}: {exc.strerror}; create it first") from None
        if not self.root.is_dir():
            raise ConnectionUnusable(f"folder {root} is not a folder")
        self.max_bytes = max_bytes

    @contextmanager
    def open(self, path: str) -> Iterator[LimitedReader]:
        """Open a file for reading bytes."""
        with self._parent(path) as (parent, name):
            with naming(path):
                _regular(os.stat(name, dir_fd=parent, follow_symlinks=False), path)
                handle = os.open(name, _READ, dir_fd=parent)
            with os.fdopen(handle, "rb", buffering=0) as file:
                size = _regular(os.fstat(file.fileno()), path).st_size
                if size > self.max_bytes:
                    raise too_large(path, self.max_bytes, size)
                yield LimitedReader(file, path, self.max_bytes)

    @contextmanager
    def open_at(self, path: str, offset: int) -> Iterator[BinaryIO]:
        """Open a file of any size for reading bytes from *offset* on, bit by bit."""
        with self._parent(path) as (parent, name), naming(path):
            _regular(os.stat(name, dir_fd=parent, follow_symlinks=False), path)
            handle = os.open(name, _READ, dir_fd=parent)
        with os.fdopen(handle, "rb", buffering=_CHUNK) as file:
            _regular(os.fstat(file.fileno()), path)
            file.seek(offset)
            yield file

    @contextmanager
    def open_to_add(self, path: str) -> Iterator[BinaryIO]:
        """Open a file (made if it is not there) to add to it, alone: others wait.

        What is written is on the disk when the block ends without an error.
        """
        with self._parent(path, create=True) as (parent, name), naming(path):
            handle = os.open(name, _ADD, 0o666, dir_fd=parent)
            with os.fdopen(handle, "r+b") as file:
                _regular(os.fstat(handle), path)
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield file
                file.flush()
                os.fsync(handle)
            os.fsync(parent)

    def read(self, path: str) -> bytes:
        """The whole content of a file."""
        with self.open(path) as file:
            return file.read()

    @contextmanager
    def replace(self, path: str) -> Iterator[LimitedWriter]:
        """Write a file whole: it appears, synced to disk, when the block ends without an error.

        Missing folders on the way are made. An existing file keeps its mode.
        """
        with self._parent(path, create=True) as (parent, name):
            with naming(path):
                mode = _mode_of(parent, name, path)
                part = f".{secrets.token_hex(8)}{_UNFINISHED}"
                handle = os.open(part, _CREATE, 0o666, dir_fd=parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    yield LimitedWriter(file, path, self.max_bytes)
                    with naming(path):
                        _settle(file, mode)
                with naming(path):
                    os.replace(part, name, src_dir_fd=parent, dst_dir_fd=parent)
                    os.fsync(parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(part, dir_fd=parent)
                raise

    def write(self, path: str, content: bytes) -> int:
        """Write a file whole; how many bytes it has."""
        with self.replace(path) as file:
            return file.write(content)

    def copy(self, source: str, target: str) -> int:
        """Copy a file inside the folder, whole; how many bytes it has."""
        copied = 0
        with self.open(source) as read, self.replace(target) as written:
            while chunk := read.read(_CHUNK):
                copied += written.write(chunk)
        return copied

    def delete(self, path: str) -> bool:
        """Delete a file; False where there was none."""
        try:
            with self._parent(path) as (parent, name), naming(path):
                _regular(os.stat(name, dir_fd=parent, follow_symlinks=False), path)
                os.unlink(name, dir_fd=parent)
                os.fsync(parent)
        except ToolError as exc:
            if exc.failure.kind is FailureKind.MISSING:
                return False
            raise
        return True

    def find(self, path: str) -> Entry | None:
        """The file at *path*, or None where there is nothing."""
        try:
            with self._parent(path) as (parent, name), naming(path):
                found = _regular(os.stat(name, dir_fd=parent, follow_symlinks=False), path)
        except ToolError as exc:
            if exc.failure.kind is FailureKind.MISSING:
                return None
            raise
        return Entry(path, found.st_size, found.st_mtime)

    def entries(self, pattern: str = "**") -> Iterator[Entry]:
        """The regular files whose path fits the glob *pattern*, sorted by path.

        Symbolic links, devices and unfinished writes are left out.
        """
        wanted = segments(pattern)
        with naming("."):
            handle = os.open(self.root, _FOLDER)
        try:
            yield from _walk(handle, (), wanted)
        finally:
            os.close(handle)

    @contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that *path* is in, and the file's name."""
        *folders, name = segments(path)
        with naming(path):
            handle = os.open(self.root, _FOLDER)
        try:
            for folder in folders:
                with naming(path):
                    below = _enter(handle, folder, create)
                os.close(handle)
                handle = below
            yield handle, name
        finally:
            os.close(handle)


def _enter(parent: int, name: str, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _regular(found: os.stat_result, path: str) -> os.stat_result:
    if stat.S_ISREG(found.st_mode):
        return found
    if stat.S_ISLNK(found.st_mode):
        message = f"{path!r} is a symbolic link; links are not followed"
        raise ToolError(Failure(FailureKind.DENIED, message, harmless=True))
    raise invalid(f"{path!r} is not a regular file")


def _settle(file: BinaryIO, mode: int | None) -> None:
    """Bring what was written to the disk, so that the rename cannot come before it."""
    file.flush()
    if mode is not None:
        os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())


def _mode_of(parent: int, name: str, path: str) -> int | None:
    """The mode of the file that is to be replaced, or None where there is none yet."""
    with suppress(FileNotFoundError):
        found = _regular(os.stat(name, dir_fd=parent, follow_symlinks=False), path)
        return stat.S_IMODE(found.st_mode)
    return None


def _walk(handle: int, above: tuple[str, ...], wanted: list[str]) -> Iterator[Entry]:
    with os.scandir(handle) as scanned:
        names = sorted(scanned, key=lambda entry: entry.name)
    for entry in names:
        path = (*above, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if "**" in wanted or len(path) < len(wanted):
                yield from _walk_below(handle, entry.name, path, wanted)
        elif _listed(entry) and matches(path, wanted):
            found = entry.stat(follow_symlinks=False)
            yield Entry("/".join(path), found.st_size, found.st_mtime)


def _listed(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) and not entry.name.endswith(_UNFINISHED)


def _walk_below(
    parent: int, name: str, path: tuple[str, ...], wanted: list[str]
) -> Iterator[Entry]:
    try:
        handle = os.open(name, _FOLDER, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        return  # removed or replaced while it was being listed
    try:
        yield from _walk(handle, path, wanted)
    finally:
        os.close(handle)
