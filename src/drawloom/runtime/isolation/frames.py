"""Messages between the engine and a process: a length of eight bytes, and then JSON."""

from __future__ import annotations

import asyncio
import struct
from typing import BinaryIO

LARGEST = 256 << 20  # bytes
_LENGTH = struct.Struct(">Q")


class FrameTooLarge(Exception):
    """The other end announced more bytes than are taken; `size` says how many."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def packed(message: bytes) -> bytes:
    """A message as it goes through the pipe."""
    return _LENGTH.pack(len(message)) + message


def read(source: BinaryIO) -> bytes | None:
    """The next message; None at the end."""
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    return source.read(_LENGTH.unpack(head)[0])


def write(sink: BinaryIO, message: bytes) -> None:
    """Send a message at once."""
    sink.write(packed(message))
    sink.flush()


async def receive(source: asyncio.StreamReader) -> bytes:
    """The next message. Raises `IncompleteReadError` at the end, and `FrameTooLarge`."""
    (length,) = _LENGTH.unpack(await source.readexactly(_LENGTH.size))
    if length > LARGEST:
        raise FrameTooLarge(length)
    return await source.readexactly(length)
