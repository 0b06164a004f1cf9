"""Sessions: made at a login, rotated, ended. Only hashes of their ids are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drawloom.access.credentials import Shown, digest, new_id, new_secret
from drawloom.access.guard import Guard, missing, not_signed_in
from drawloom.access.principal import Principal, Via
from drawloom.access.store import Store
from drawloom.access.throttling import SECOND

_MOST: Final = 50  # sessions of one user; the oldest end


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions last, in microseconds.

    *idle*: without being used. *longest*: in all. *rotate*: until the id is another.
    *grace*: how long the old id is good after that, for requests that were under way.
    *noted*: how exactly the last use is known, so that not each is written.
    """

    idle: int = 24 * 3600 * SECOND
    longest: int = 14 * 24 * 3600 * SECOND
    rotate: int = 3600 * SECOND
    grace: int = 10 * SECOND
    noted: int = 60 * SECOND


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is known. *session* is a new id, which takes the place of the one sent."""

    principal: Principal
    session: Shown | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One session of somebody: since when, last seen about when, from where."""

    id: str
    made_at: int
    seen_at: int
    expires_at: int
    address: str
    agent: str
    current: bool


class Sessions:
    """The sessions of one store."""

    def __init__(self, guard: Guard, lifetimes: Lifetimes) -> None:
        self._guard = guard
        self._store: Store = guard.store
        self._lives = lifetimes

    def authenticate(self, principal: Principal, session: str) -> SignedIn:
        """Whose session it is. Raises `AccessRefused` (denied): unknown, over or idle too long.

        *principal* is nobody, from an address. A new id comes after a while, and after roles
        or the password changed; the old one is then good for some seconds more.
        """
        with self._guard.strangers(principal):
            found, now = digest(session), self._store.now()
            row = self._store.row("session_by_hash", principal.tenant, found, now)
            if row is None:
                raise not_signed_in()
            id, user, seen_at, rotated_at, newest = row
            if now - seen_at > self._lives.idle:
                raise not_signed_in()
            known = self._guard.fresh(_of(principal, user, id))
        due = newest == found and (not rotated_at or now - rotated_at > self._lives.rotate)
        renewed = self._rotated(principal.tenant, id, found) if due else None
        if now - seen_at > self._lives.noted:
            self._store.rows("session_seen", now, principal.tenant, id)
        return SignedIn(known, renewed)

    def made(self, principal: Principal, user: str) -> SignedIn:
        """A new session for *user*, within the change that signs them in."""
        now, tenant, origin = self._store.now(), principal.tenant, principal.origin
        id, secret = new_id(self._store.entropy, "session"), new_secret(self._store.entropy)
        with self._store.changing():
            self._store.rows("drop_sessions", tenant, now, now - self._lives.idle)
            until = now + self._lives.longest
            place = (origin.address, origin.agent)
            hashed = digest(secret.reveal())
            self._store.rows("add_session", tenant, id, hashed, user, now, until, *place)
            self._store.rows("drop_oldest_sessions", tenant, user, _MOST)
            return SignedIn(self._guard.fresh(_of(principal, user, id)), secret)

    def renewed(self, principal: Principal) -> Shown:
        """A new id for the session of *principal*; the old one is over at once."""
        secret = new_secret(self._store.entropy)
        given = (digest(secret.reveal()), self._store.now(), principal.tenant)
        self._store.rows("replace_session", *given, principal.credential)
        return secret

    def end(self, principal: Principal, session: str | None = None) -> None:
        """End one of one's own sessions, by its id; without one, the present one."""
        with self._guard.changing_own(principal) as change:
            own, id = change.principal, session or principal.credential
            if not self._store.rows("end_session", own.tenant, own.user, id):
                raise missing("session")
            change.told("session.ended", id)

    def end_all(self, principal: Principal) -> int:
        """End all of one's own sessions, the present one too; how many there were."""
        with self._guard.changing_own(principal) as change:
            own = change.principal
            ended = len(self._store.rows("end_sessions", own.tenant, own.user, ""))
            change.told("sessions.ended", own.user, count=ended)
            return ended

    def listed(self, principal: Principal) -> list[Session]:
        """One's own sessions, the latest first; 50 at most."""
        with self._guard.watched(principal):
            own = self._guard.signed_in(principal)
        now = self._store.now()
        rows = self._store.rows("sessions", own.tenant, own.user, now, now - self._lives.idle)
        return [Session(r[0], r[1], r[2], r[3], r[4], r[5], r[0] == own.credential) for r in rows]

    def _rotated(self, tenant: str, id: str, old: bytes | None) -> Shown | None:
        """A new id; None where a request that came at the same time has got it."""
        secret, now = new_secret(self._store.entropy), self._store.now()
        until = now + self._lives.grace
        given = (digest(secret.reveal()), old, until, now, tenant, id)
        return secret if self._store.rows("rotate_session", *given) else None


def _of(principal: Principal, user: str, id: str) -> Principal:
    return Principal(
        tenant=principal.tenant, user=user, via=Via.SESSION, credential=id, origin=principal.origin
    )
