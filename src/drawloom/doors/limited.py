"""Binary files that stop at a limit, count what passes, and name the path in errors."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from drawloom.doors.file_faults import naming, too_large
from drawloom.doors.meter import count_in, count_out

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class LimitedReader(io.RawIOBase):
    """Reads at most *limit* bytes, then refuses: a file may grow while it is read."""

    def __init__(self, file: io.FileIO, path: str, limit: int) -> None:
        self._file = file
        self._path = path
        self._limit = limit
        self._passed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill *buffer*. Raises `ToolError` (invalid) once the limit is passed."""
        with naming(self._path):
            got = self._file.readinto(buffer) or 0
        self._passed += got
        count_in(got)
        if self._passed > self._limit:
            raise too_large(self._path, self._limit)
        return got

    def buffered(self) -> io.BufferedReader:
        """The same, buffered: for reading lines."""
        return io.BufferedReader(self, 256 * 1024)


class LimitedWriter(io.RawIOBase):
    """Writes at most *limit* bytes, then refuses."""

    def __init__(self, file: BinaryIO, path: str, limit: int) -> None:
        self._file = file
        self._path = path
        self._limit = limit
        self.passed = 0

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        """Write all of *content*. Raises `ToolError` (invalid) where it would pass the limit."""
        with memoryview(content) as view:
            size = view.nbytes
        if self.passed + size > self._limit:
            raise too_large(self._path, self._limit)
        with naming(self._path):
            self._file.write(content)
        self.passed += size
        count_out(size)
        return size
