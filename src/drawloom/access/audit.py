"""What was changed or denied: who, what, on what, from where, when. Never a secret.

Each entry has the digest (SHA-256) of the one before it, and the newest is noted apart, so
that an entry that was altered, put in or taken out is found. Whoever may write the file can
make the whole chain anew: that is found by a head that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drawloom.access.pages import Page, bounded, cursor_number
from drawloom.access.principal import Principal, plain
from drawloom.access.roles import HOME
from drawloom.access.store import Store

_FIRST: Final = bytes(32)
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. *at* in microseconds since 1970; *outcome* is done, denied or failed."""

    seq: int
    at: int
    who: str
    name: str
    via: str
    did: str
    what: str
    team: str
    outcome: str
    address: str
    agent: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The number and digest of an entry: note it elsewhere, and compare."""

    seq: int = 0
    digest: str = _FIRST.hex()


@dataclass(frozen=True, slots=True)
class Checked:
    """The newest entry, and what is wrong (None: nothing): the number of an entry, and how."""

    head: Head
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: each that is given must be so. *since* (included) and *until* are times."""

    who: str | None = None
    did: str | None = None
    what: str | None = None
    outcome: str | None = None
    since: int | None = None
    until: int | None = None


_FIELDS: Final = [name for name in Entry.__slots__ if name != "details"]


class Audit:
    """The entries of one store. Who may read them is asked by `Access`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(
        self,
        principal: Principal,
        did: str,
        what: str = "",
        team: str = "",
        outcome: str = "done",
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Write down what is done, within the same change; the number of the entry."""
        tenant, origin = principal.tenant, principal.origin
        with self._store.changing():
            before = self.head(tenant)
            seq = before.seq + 1
            said = json.dumps(details or {}, sort_keys=True)
            who = (principal.user, principal.name, principal.through)
            act = (did, plain(what), plain(team), outcome, origin.address, origin.agent, said)
            row = (tenant, seq, self._store.now(), *who, *act)
            linked = bytes.fromhex(before.digest)
            own = _digest(linked, row)
            self._store.rows("append_audit", *row, linked, own)
            self._store.rows("put_head", tenant, seq, own)
        return seq

    def head(self, tenant: str) -> Head:
        """The newest entry."""
        row = self._store.row("head", tenant)
        return Head(row[0], row[1].hex()) if row else Head()

    def listed(
        self, tenant: str, team: str, wanted: Wanted, cursor: str | None, limit: int
    ) -> Page[Entry]:
        """The entries of a team (of *team* and of no team, for the first), the newest first."""
        before = cursor_number(cursor)
        given = (wanted.who, wanted.did, wanted.what, wanted.outcome, wanted.since, wanted.until)
        alone = "" if team == HOME else team
        rows = self._store.rows("audited", tenant, team, alone, before, *given, bounded(limit) + 1)
        return Page.of([_entry(row) for row in rows], limit, lambda entry: str(entry.seq))

    def verify(self, tenant: str, noted: Head | None = None) -> Checked:
        """Look through the whole chain, a few hundred entries at a time.

        *noted* is a head from before, kept elsewhere: the chain must go through it.
        """
        head, newest = self._ends(tenant)
        found = Head()
        for row in self._all(tenant, head.seq):
            seq, before, own = row[1], row[-2], row[-1]
            if seq != found.seq + 1:
                break
            if before.hex() != found.digest or own != _digest(before, row[:-2]):
                return Checked(found, f"entry {seq} was altered")
            found = Head(seq, own.hex())
            if noted and noted.seq == seq and noted != found:
                return Checked(found, f"entry {seq} is not the one noted")
        if found.seq < max(head.seq, newest, noted.seq if noted else 0):
            return Checked(found, f"entry {found.seq + 1} is gone, or was put in")
        return Checked(found, None if head == found else "the head was altered")

    def _ends(self, tenant: str) -> tuple[Head, int]:
        """The head, and the newest entry that there is, at the same moment."""
        seq, digest, newest = self._store.row("ends", tenant)
        return (Head() if seq is None else Head(seq, digest.hex())), newest or 0

    def _all(self, tenant: str, last: int) -> Iterator[Any]:
        seq = 0
        while rows := self._store.rows("audit_after", tenant, seq, last, _AT_ONCE):
            yield from rows
            seq = rows[-1][1]


def _digest(before: bytes, row: tuple[Any, ...]) -> bytes:
    """Of an entry: JSON is exact about where one field ends and the next begins."""
    return hashlib.sha256(json.dumps([before.hex(), *row]).encode()).digest()


def _entry(row: Any) -> Entry:
    return Entry(**dict(zip(_FIELDS, row[:-1], strict=True)), details=json.loads(row[-1]))
