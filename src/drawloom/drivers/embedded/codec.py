"""Values to journal columns and back; large values are written once.

A value over `LARGE` bytes of JSON becomes a payload: a row of its own, once per run. One
over the threshold of `Blobs` becomes a file, and what stands for it in the run loads it where
it is read. While the very same object comes by again (a step that passes on what it got), it
is known by its identity and neither encoded nor hashed a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from drawloom.dataflow.large_values import LargeValue, PartlyStored, Shelf, StoredValue
from drawloom.errors import Failure, FailureKind
from drawloom.kernel import CallTool

if TYPE_CHECKING:
    from drawloom.drivers.embedded.blobs import Blobs
    from drawloom.drivers.embedded.journal import Journal

LARGE = 16 * 1024  # bytes
_LARGE_MEMBER = LARGE // 4


def _loaded(value: Any) -> Any:
    if isinstance(value, LargeValue):
        return value.load()
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode = msgspec.json.Encoder(enc_hook=_loaded).encode
_decode = msgspec.json.Decoder().decode

# Where in a value something else belongs: the member (None for the whole), the digest in hex,
# and for a blob its bytes.
Ref: TypeAlias = list[Any]
Refs: TypeAlias = "list[Ref] | None"


class Payloads:
    """The large values of one run that are already written."""

    __slots__ = ("_blobs", "_journal", "_known", "_large", "_number", "_used")

    def __init__(self, number: int, journal: Journal | None, blobs: Blobs | None = None) -> None:
        self._number = number
        self._journal = journal
        self._blobs = blobs
        self._large = LARGE if blobs is None else min(LARGE, blobs.threshold)
        # The object is kept with its digest, so that its identity stays its own.
        self._known: dict[int, tuple[Any, bytes, int]] = {}
        self._used: set[bytes] = set()  # blobs that the store knows to be of this run

    def encode(self, value: Any, args: Mapping[str, Any] | None = None) -> tuple[str, Refs]:
        """The JSON of *value*, and where in it payloads and blobs belong.

        What a tool gave is known by its identity only where it was among its *args*:
        it may have changed, since, what it gave before.
        """
        if isinstance(value, LargeValue):
            return self._encode_large(value)
        if self._known or (self._blobs is not None and self._blobs.digests):
            refs, rest = self._without_known(value, args)
            if refs:
                text, more = self._encode_new(rest)
                return text, [*refs, *(more or ())]
        return self._encode_new(value)

    def _encode_new(self, value: Any) -> tuple[str, Refs]:
        encoded = _encode(value)
        if len(encoded) <= self._large:
            return encoded.decode(), None
        if isinstance(value, dict):
            return self._encode_members(value)
        return "null", [self._put(None, value, encoded)]

    def _encode_members(self, value: Mapping[str, Any]) -> tuple[str, Refs]:
        refs, kept = [], {}
        for key, member in value.items():
            kept[key] = member
            if isinstance(member, (dict, list, str)):
                encoded = _encode(member)
                if len(encoded) > self._large // 4:
                    refs.append(self._put(key, member, encoded))
                    kept[key] = None
        text = _encode(kept)
        if len(text) > self._large * 8:  # very many small members: the whole is the payload
            return "null", [self._put(None, value, _encode(value))]
        return text.decode(), refs or None

    def _encode_large(self, value: LargeValue) -> tuple[str, Refs]:
        """What is kept outside already is only named."""
        if isinstance(value, StoredValue) and not value.path:
            return "null", [self._use(None, value.digest, value.size)]
        if isinstance(value, PartlyStored):
            parts = value.parts.items()
            whole = [(k, p) for k, p in parts if isinstance(p, StoredValue) and not p.path]
            if len(whole) == len(parts):
                text = _encode(value.kept)
                if len(text) <= self._large * 8:
                    return text.decode(), [self._use(k, p.digest, p.size) for k, p in whole]
        return self._encode_new(value.load())

    def _without_known(self, value: Any, args: Mapping[str, Any] | None) -> tuple[list[Ref], Any]:
        if (found := self._ref(None, value, args)) is not None:
            return [found], None
        if type(value) is not dict:
            return [], value
        refs: list[Ref] = []
        kept = value
        for key, member in value.items():
            if (found := self._ref(key, member, args)) is not None:
                if not refs:
                    kept = dict(value)
                refs.append(found)
                kept[key] = None
        return refs, kept

    def _ref(self, key: str | None, value: Any, args: Mapping[str, Any] | None) -> Ref | None:
        """A reference to a value that is written; None for another one."""
        kind = type(value)
        if kind is not dict and kind is not list and kind is not str:
            return None
        found = self._known.get(id(value))
        stored = self._blobs.known(value) if found is None and self._blobs is not None else None
        if found is None and stored is None:
            return None
        if args is not None and value is not args and all(value is not a for a in args.values()):
            return None
        if found is not None:
            return [key, found[1].hex()]
        assert stored is not None
        return self._use(key, *stored)

    def holds_any(self, args: Mapping[str, Any]) -> bool:
        """Whether a member of *args* is large, and already written."""
        if not self._known and (self._blobs is None or not self._blobs.digests):
            return False
        return any(self._digest_of(member) is not None for member in args.values())

    def _digest_of(self, value: Any) -> bytes | None:
        """The digest of a large value that is written."""
        if (found := self._known.get(id(value))) is not None:
            return found[1] if found[2] > _LARGE_MEMBER else None
        stored = None if self._blobs is None else self._blobs.known(value)
        return None if stored is None or stored[1] <= _LARGE_MEMBER else stored[0]

    def named(self, member: Any) -> list[Any]:
        """A member by its digest where it is large, else the member itself."""
        if (digest := self._digest_of(member)) is not None:
            return [digest.hex(), None]
        encoded = _encode(member)
        if len(encoded) > _LARGE_MEMBER and isinstance(member, (dict, list, str)):
            return [digest_of(encoded).hex(), None]
        return [None, member]

    def _put(self, key: str | None, value: Any, encoded: bytes) -> Ref:
        digest = digest_of(encoded)
        blobs = self._blobs
        if blobs is not None and len(encoded) > blobs.threshold:
            blobs.put(digest, encoded)
            return self._use(key, digest, len(encoded), encoded)
        self._known[id(value)] = (value, digest, len(encoded))
        if self._journal is not None:
            self._journal.payload((self._number, digest, encoded.decode()))
        return [key, digest.hex()]

    def _use(self, key: Any, digest: bytes, size: int, content: bytes | None = None) -> Ref:
        """A reference to a blob, which is this run's from now on."""
        if self._journal is not None and digest not in self._used:
            self._used.add(digest)
            self._journal.blob((self._number, digest, size), content)
        return [key, digest.hex(), size]


NO_PAYLOADS = Payloads(0, None)  # for who only reads


def digest_of(encoded: bytes) -> bytes:
    """Names a value by its JSON (BLAKE2b, 16 bytes)."""
    return hashlib.blake2b(encoded, digest_size=16).digest()


def outside(value: Any, refs: Refs, shelf: Shelf) -> Any:
    """*value*, with what *refs* name as blobs kept outside."""
    parts = {
        ref[0]: StoredValue(bytes.fromhex(ref[1]), ref[2], shelf)
        for ref in refs or ()
        if len(ref) == 3
    }
    if not parts:
        return value
    if None in parts:
        return parts[None]
    kept = value.copy()
    for key in parts:
        kept[key] = None
    return PartlyStored(kept, parts)


def restored(
    body: str | None, refs: str | None, load: Callable[[bytes], str], shelf: Shelf
) -> Any:
    """A value with its payloads in their places; its blobs stay outside."""
    value: Any = None if body is None else _decode(body)
    if refs is None:
        return value
    named: list[Ref] = _decode(refs)
    for ref in named:
        if len(ref) == 2:
            payload = _decode(load(bytes.fromhex(ref[1])))
            if ref[0] is None:
                value = payload
            else:
                value[ref[0]] = payload
    return outside(value, named, shelf)


def failure_from(shown: Mapping[str, Any]) -> Failure:
    """The failure that was written as JSON."""
    return Failure(
        FailureKind(shown["kind"]),
        shown["message"],
        shown.get("retry_after"),
        shown.get("details"),
        bool(shown.get("harmless")),
    )


def to_json(value: Any) -> str:
    """JSON text, as it stands in a column."""
    return _encode(value).decode()


def call_digest(command: CallTool, payloads: Payloads) -> bytes:
    """Names a call by its tool and arguments, to know it again at replay.

    Large members count by their own digest, so that one that is known by its
    identity need not be encoded, and the name is the same either way.
    """
    head = command.step.tool.encode()
    if not payloads.holds_any(command.args):
        encoded = _encode(command.args)
        if len(encoded) <= _LARGE_MEMBER:
            return hashlib.blake2b(head + encoded, digest_size=8).digest()
    parts = [[key, *payloads.named(member)] for key, member in command.args.items()]
    return hashlib.blake2b(head + _encode(parts), digest_size=8).digest()
