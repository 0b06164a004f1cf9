"""Values to journal columns and back; large values are written once per run.

A value over `LARGE` bytes of JSON becomes a payload. While the very same object
comes by again (a step that passes on what it got), it is known by its identity
and neither encoded nor hashed a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from drawloom.errors import Failure, FailureKind
from drawloom.kernel import CallTool

if TYPE_CHECKING:
    from drawloom.drivers.embedded.journal import Journal

LARGE = 16 * 1024  # bytes
_LARGE_MEMBER = LARGE // 4

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Payloads:
    """The large values of one run that are already written."""

    __slots__ = ("_journal", "_known", "_number")

    def __init__(self, number: int, journal: Journal | None) -> None:
        self._number = number
        self._journal = journal
        # The object is kept with its digest, so that its identity stays its own.
        self._known: dict[int, tuple[Any, bytes]] = {}

    def encode(self, value: Any) -> tuple[str, str | None]:
        """The JSON of *value*, and where in it payloads belong (None where there are none)."""
        if self._known:
            refs, rest = self._without_known(value)
            if refs:
                text, more = self._encode_new(rest)
                return text, _encode([*refs, *(_decode(more) if more else [])]).decode()
        return self._encode_new(value)

    def _encode_new(self, value: Any) -> tuple[str, str | None]:
        encoded = _encode(value)
        if len(encoded) <= LARGE:
            return encoded.decode(), None
        if isinstance(value, dict):
            return self._encode_members(value)
        return "null", _encode([[None, self._put(value, encoded).hex()]]).decode()

    def _encode_members(self, value: Mapping[str, Any]) -> tuple[str, str | None]:
        refs, kept = [], {}
        for key, member in value.items():
            kept[key] = member
            if isinstance(member, (dict, list, str)):
                encoded = _encode(member)
                if len(encoded) > _LARGE_MEMBER:
                    refs.append([key, self._put(member, encoded).hex()])
                    kept[key] = None
        text = _encode(kept)
        if len(text) > LARGE * 8:  # very many small members: the whole is the payload
            return "null", _encode([[None, self._put(value, _encode(value)).hex()]]).decode()
        return text.decode(), _encode(refs).decode() if refs else None

    def _without_known(self, value: Any) -> tuple[list[list[str | None]], Any]:
        known = self._known
        if (found := known.get(id(value))) is not None:
            return [[None, found[1].hex()]], None
        if type(value) is not dict:
            return [], value
        refs: list[list[str | None]] = []
        kept = value
        for key, member in value.items():
            if (found := known.get(id(member))) is not None:
                if not refs:
                    kept = dict(value)
                refs.append([key, found[1].hex()])
                kept[key] = None
        return refs, kept

    def holds_any(self, args: Mapping[str, Any]) -> bool:
        """Whether a member of *args* is a value that is already written."""
        known = self._known
        return bool(known) and any(id(member) in known for member in args.values())

    def named(self, member: Any) -> list[Any]:
        """A member by its digest where it is large, else the member itself."""
        if (found := self._known.get(id(member))) is not None:
            return [found[1].hex(), None]
        encoded = _encode(member)
        if len(encoded) > _LARGE_MEMBER and isinstance(member, (dict, list, str)):
            return [hashlib.blake2b(encoded, digest_size=16).hexdigest(), None]
        return [None, member]

    def _put(self, value: Any, encoded: bytes) -> bytes:
        digest = hashlib.blake2b(encoded, digest_size=16).digest()
        self._known[id(value)] = (value, digest)
        if self._journal is not None:
            self._journal.payload((self._number, digest, encoded.decode()))
        return digest


NO_PAYLOADS = Payloads(0, None)  # for who only reads


def restored(body: str | None, refs: str | None, load: Callable[[bytes], str]) -> Any:
    """A value with its payloads in their places."""
    value: Any = None if body is None else _decode(body)
    for key, digest in _decode(refs) if refs else ():
        payload = _decode(load(bytes.fromhex(digest)))
        if key is None:
            value = payload
        else:
            value[key] = payload
    return value


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
