"""What has been added to a file, noted beside it: found by key at the same cost however much.

The notes are records of one size, one for each part. The first tells what was there
before; the others hang below it by the digits of their key's digest, so that a look-up
reads one record for each digit (with 10,000 parts, four). A record is written at the end
of the notes, on the disk, before its part is added. What is changed in place later, that the
part is there, and where the record hangs, is done again for the last record if a crash
has cut it off.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

from drawloom.sdk import Failure, FailureKind, ToolError

_MAGIC = b"part"
_FIXED = struct.Struct("<4s16sQQIB3x")  # magic, digest, start, length, parent, digit
_CHECK = struct.Struct("<I")  # CRC-32 of the above
_DONE = _FIXED.size + _CHECK.size  # a byte: whether the part is in the file
_BELOW = _DONE + 4
_NUMBER = struct.Struct("<I")
_WIDTH = 16
_SIZE = _BELOW + _WIDTH * _NUMBER.size


@dataclass(slots=True)
class Part:
    """Bytes of a file from `start` on. `number` is that of its record; the first has no parent."""

    number: int
    digest: bytes
    start: int
    length: int
    parent: int
    digit: int
    done: bool

    def packed(self) -> bytes:
        fixed = _FIXED.pack(_MAGIC, self.digest, self.start, self.length, self.parent, self.digit)
        done = bytes([self.done, 0, 0, 0])
        return fixed + _CHECK.pack(zlib.crc32(fixed)) + done + bytes(_SIZE - _BELOW)


class Notes:
    """The notes in *file*, which nobody else has open for writing. *path* names them in errors."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        if not _MAGIC.startswith(self._at(0, len(_MAGIC))):
            raise self._unreadable("is not of this version")
        self._count = file.seek(0, os.SEEK_END) // _SIZE
        self._last = self._record(self._count - 1)
        if self._count and self._last is None:
            self._count -= 1  # a record that a crash cut off has never counted
            self._last = self._record(self._count - 1)
            if self._count and self._last is None:  # no crash cuts off two
                raise self._unreadable("is damaged")
        file.truncate(self._count * _SIZE)
        if self._last is not None and self._last.done:
            self._hang(self._last)

    @property
    def empty(self) -> bool:
        """Whether nothing is noted, not even what was there before."""
        return self._last is None

    @property
    def begun(self) -> bool:
        """Whether the last part's content waits to be added."""
        return self._last is not None and not self._last.done

    @property
    def end(self) -> int:
        """Where the parts end that are in the file, in bytes."""
        if self._last is None:
            return 0
        return self._last.start + (self._last.length if self._last.done else 0)

    def length(self, key: str) -> int | None:
        """The bytes that the call with this key has added; None if it has added nothing yet."""
        found, _, _ = self._find(_digest(key))
        return None if found is None else found.length

    def found(self, length: int) -> None:
        """The first note: so many bytes were there before."""
        self._append(Part(0, bytes(16), 0, length, 0, 0, done=True))

    def begin(self, key: str, length: int) -> None:
        """The content is on the disk, and is about to be added."""
        digest = _digest(key)
        _, parent, digit = self._find(digest)
        self._append(Part(self._count, digest, self.end, length, parent, digit, done=False))

    def done(self) -> None:
        """The part that was begun is in the file, on the disk."""
        part = self._last
        assert part is not None
        part.done = True
        self._put(part.number * _SIZE + _DONE, b"\x01")
        self._hang(part)
        self._sync()

    def _append(self, part: Part) -> None:
        self._put(self._count * _SIZE, part.packed())
        self._sync()
        self._last = part
        self._count += 1

    def _hang(self, part: Part) -> None:
        """Have the record found from the one above it."""
        place = part.parent * _SIZE + _BELOW + part.digit * _NUMBER.size
        packed = _NUMBER.pack(part.number)
        if part.number and self._at(place, _NUMBER.size) != packed:
            self._put(place, packed)

    def _find(self, digest: bytes) -> tuple[Part | None, int, int]:
        """The part with that digest, or None; and under which record, at which digit it hangs."""
        above = 0
        for digit in (half for byte in digest for half in (byte >> 4, byte & 15)):
            number = self._below(above, digit)
            if not number:
                return None, above, digit
            part = self._record(number)
            if part is None or number <= above:
                break
            if part.digest == digest:
                return part, above, digit
            above = number
        raise self._unreadable("is damaged")

    def _below(self, number: int, digit: int) -> int:
        place = number * _SIZE + _BELOW + digit * _NUMBER.size
        return int(_NUMBER.unpack(self._at(place, _NUMBER.size))[0])

    def _record(self, number: int) -> Part | None:
        """The part of that number, None where a crash has cut its record off, or below 0."""
        record = self._at(number * _SIZE, _SIZE) if number >= 0 else b""
        fixed, rest = record[: _FIXED.size], record[_FIXED.size :]
        if len(record) < _SIZE or _CHECK.unpack_from(rest)[0] != zlib.crc32(fixed):
            return None
        _, digest, start, length, parent, digit = _FIXED.unpack(fixed)
        done = number == 0 or record[_DONE] == 1
        return Part(number, digest, start, length, parent, digit, done)

    def _at(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return self._file.read(size)

    def _put(self, place: int, content: bytes) -> None:
        self._file.seek(place)
        self._file.write(content)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _unreadable(self, how: str) -> ToolError:
        message = (
            f"{self._path!r}, which notes what was added, {how}; move it away, with the file"
            " that it is about"
        )
        return ToolError(Failure(FailureKind.CONFLICT, message, harmless=True))


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()
