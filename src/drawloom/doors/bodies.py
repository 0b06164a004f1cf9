"""Reading an answer's body within a limit, before and after decompression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator

from drawloom.doors.meter import count_in
from drawloom.errors import Failure, FailureKind, ToolError, invalid

# What is asked for. Anything else in an answer was not asked for, and is refused.
ACCEPTED = "gzip, deflate"
_SLICE = 256 * 1024
_MOST_MEMBERS = 1_000


async def read_body(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """The decompressed body, of at most *limit* bytes on the wire and as many inflated.

    *encoding* is the Content-Encoding: empty, identity, gzip, x-gzip or deflate
    (RFC 9110, 8.4.1). Raises `ToolError` as soon as a limit is passed.
    """
    body = _inflater(encoding)
    wire, parts, size = 0, [], 0
    async for chunk in chunks:
        count_in(len(chunk))
        wire += len(chunk)
        if wire > limit:
            raise _too_large("is over", limit, "")
        for part in body.feed(chunk):
            size += len(part)
            if size > limit:
                raise _too_large("inflates to more than", limit, f" from {wire} bytes")
            parts.append(part)
            # A small chunk may inflate to megabytes: let others run in between.
            await asyncio.sleep(0)
    body.finish()
    return b"".join(parts)


def refuse_length(stated: str | None, limit: int) -> None:
    """Refuse an answer whose Content-Length is over *limit*, before reading it."""
    if stated is not None and stated.isdigit() and int(stated[:20]) > limit:
        raise _too_large(f"is {stated} bytes, over", limit, "")


def _too_large(what: str, limit: int, aside: str) -> ToolError:
    message = (
        f"the body of the answer {what} the limit of {limit} bytes{aside}; "
        "ask for less at once, or raise max_bytes of the connection"
    )
    return ToolError(Failure(FailureKind.INVALID, message, details={"max_bytes": limit}))


class _Plain:
    """A body that is sent as it is."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        """Nothing can be missing: the transport checks the length."""


class _Inflater:
    """gzip (of several members, RFC 1952, 2.2) or deflate, in slices of bounded size."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflate: zlib._Decompress | None = None
        self._members = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            inflate = self._current(chunk)
            out = self._step(inflate, chunk)
            while out:
                yield out
                # A full slice may leave output inside zlib, with no input left.
                more = len(out) == _SLICE and not inflate.eof
                out = self._step(inflate, inflate.unconsumed_tail) if more else b""
            chunk = inflate.unused_data

    def finish(self) -> None:
        if self._inflate is not None and not self._inflate.eof:
            raise self._broken("it ends in the middle")

    def _current(self, data: bytes) -> zlib._Decompress:
        """The decompressor of this member; a new one where the last has ended."""
        if self._inflate is None or self._inflate.eof:
            self._members += 1
            if self._members > (_MOST_MEMBERS if self._encoding == "gzip" else 1):
                raise self._broken(f"it has more than {self._members - 1} members")
            self._inflate = zlib.decompressobj(self._format(data))
        return self._inflate

    def _format(self, data: bytes) -> int:
        if self._encoding == "gzip":
            return 31
        # "deflate" is zlib's format by the RFC, and often the raw one in practice.
        return 15 if data[0] & 0x0F == 8 else -15

    def _step(self, inflate: zlib._Decompress, data: bytes) -> bytes:
        try:
            return inflate.decompress(data, _SLICE)
        except zlib.error as exc:
            raise self._broken(str(exc)) from None

    def _broken(self, why: str) -> ToolError:
        message = f"the {self._encoding} body of the answer cannot be decompressed: {why}"
        return ToolError(Failure(FailureKind.TRANSIENT, message))


def _inflater(encoding: str) -> _Plain | _Inflater:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Plain()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflater("deflate" if name == "deflate" else "gzip")
    raise invalid(f"the answer is compressed as {name[:60]!r}; only {ACCEPTED} was asked for")
