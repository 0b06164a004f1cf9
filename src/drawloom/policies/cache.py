"""Answers that may be used again: what names them, how long they hold, and which go first.

An answer is *fresh* for its time to live, then *stale* for a while (it may
still be given while a new one is fetched; RFC 5861), then gone. When the bytes
run out, the answer that was not used for the longest time goes first. Only
tools that look may be cached; who calls this room sees to that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, TypeAlias

Age: TypeAlias = Literal["fresh", "stale"]

_OVERHEAD = 200  # bytes that an entry costs beside its answer


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How long an answer is used again. Times are in seconds; `tags` are for invalidation."""

    ttl: float
    stale: float = 0.0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer, encoded, and until when it is fresh and may be used."""

    key: str
    tool: str
    answer: bytes
    fresh_until: float
    stale_until: float
    tags: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """What it costs."""
        return len(self.answer) + _OVERHEAD


def cache_key(tool: str, version: str, connection: str, given: bytes) -> str:
    """The name of an answer, a BLAKE2b digest (RFC 7693) of 32 hex digits.

    *version* is a digest of the tool's schemas, *connection* one of its settings
    (secrets as references), *given* the input as canonical JSON (RFC 8785).
    """
    hashed = blake2b(digest_size=16)
    for part in (tool.encode(), version.encode(), connection.encode(), given):
        hashed.update(len(part).to_bytes(8, "big"))  # or two inputs could share one name
        hashed.update(part)
    return hashed.hexdigest()


class Cache:
    """Answers by key, at most *max_bytes* of them."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # the longest unused is first

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> tuple[Entry, Age] | None:
        """The answer and its age, or None; one that no longer holds is dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now < entry.fresh_until:
            self._entries.move_to_end(key)
            return entry, "fresh"
        if now < entry.stale_until:
            self._entries.move_to_end(key)
            return entry, "stale"
        self._drop(key)
        return None

    def put(self, entry: Entry) -> tuple[str, ...]:
        """Keep an answer; the keys of those that had to go. One too large is not kept itself."""
        if entry.key in self._entries:
            self._drop(entry.key)
        if entry.bytes > self.max_bytes:
            return (entry.key,)
        self._entries[entry.key] = entry
        self.used += entry.bytes
        gone: list[str] = []
        while self.used > self.max_bytes:
            key = next(iter(self._entries))
            self._drop(key)
            gone.append(key)
        return tuple(gone)

    def drop(
        self, *, key: str | None = None, tool: str | None = None, tag: str | None = None
    ) -> tuple[str, ...]:
        """Forget the answers that meet all that is given; their keys."""
        found = [
            entry.key
            for entry in self._entries.values()
            if (key is None or entry.key == key)
            and (tool is None or entry.tool == tool)
            and (tag is None or tag in entry.tags)
        ]
        return self._dropped(found)

    def expired(self, now: float) -> tuple[str, ...]:
        """Forget what no longer holds; the keys."""
        return self._dropped([e.key for e in self._entries.values() if now >= e.stale_until])

    def _dropped(self, keys: Iterable[str]) -> tuple[str, ...]:
        dropped = tuple(keys)
        for key in dropped:
            self._drop(key)
        return dropped

    def _drop(self, key: str) -> None:
        self.used -= self._entries.pop(key).bytes
