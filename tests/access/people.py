"""An access store in a folder, with a clock that stands still and people in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from drawloom.access import Access, Cost, Lifetimes, Origin, Principal, Role
from drawloom.access.store import FILE
from drawloom.errors import AccessRefused

CHEAP = Cost(kibibytes=8, passes=1)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
PASSWORD = "a loom of many threads"
HERE = Origin("192.0.2.7", "Mozilla/5.0")
NOBODY = Principal.nobody(HERE)
TERMINAL = Principal.terminal("weaver")


@dataclass
class Clock:
    """Microseconds since 1970, moved by hand."""

    at: int = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.at


@dataclass
class Counter:
    """Bytes that look random, none of them twice, and the same in each run."""

    seed: str = ""
    used: int = 0

    def __call__(self, count: int) -> bytes:
        self.used += 1
        return hashlib.shake_256(f"{self.seed} {self.used}".encode()).digest(count)


@dataclass
class World:
    """A store, its clock, and who was made in it."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    seed: str = ""
    cost: Cost = CHEAP

    def __post_init__(self) -> None:
        self.access = self.opened(self.seed)

    def opened(self, seed: str, lifetimes: Lifetimes | None = None) -> Access:
        return Access(self.folder, self.clock, Counter(seed), self.cost, lifetimes)

    def owner(self, name: str = "Olga") -> Principal:
        """The first owner, signed in."""
        link = self.access.joining.owner_link(TERMINAL)
        return self.access.joining.become_owner(
            NOBODY, link.secret.reveal(), name, PASSWORD
        ).principal

    def joined(self, by: Principal, name: str, role: Role, team: str = "main") -> Principal:
        """Somebody whom *by* invited, signed in."""
        link = self.access.joining.invite(by, team, name, role)
        return self.access.joining.join(NOBODY, link.secret.reveal(), PASSWORD).principal

    def login(self, name: str, password: str = PASSWORD) -> tuple[Principal, str]:
        done = self.access.logins.login(NOBODY, name, password)
        assert done.session is not None
        return done.principal, done.session.reveal()

    def version(self, by: Principal, user: Principal, team: str = "main") -> int:
        """Of a membership."""
        found = self.access.teams.members(by, team, limit=200).items
        return next(m.version for m in found if m.user == user.user)

    def account_version(self, by: Principal, user: Principal) -> int:
        found = self.access.accounts.listed(by, limit=200).items
        return next(a.version for a in found if a.id == user.user)

    def told(self, by: Principal, team: str = "main") -> list[tuple[str, str]]:
        """What the audit has, the oldest first: what was done, and how it ended."""
        found = self.access.audit(by, team, limit=200).items
        return [(e.did, e.outcome) for e in reversed(found)]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """By another connection, as somebody who can read the file."""
        db = apsw.Connection(str(self.folder / FILE))
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[AccessRefused]]:
    with pytest.raises(AccessRefused) as raised:
        yield raised
    assert raised.value.code == code, raised.value
