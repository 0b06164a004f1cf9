"""Logins by name and password. They hash, so they take a while: call them through `Aside`."""

from __future__ import annotations

from dataclasses import dataclass, field

from drawloom.access import passwords
from drawloom.access.credentials import Shown
from drawloom.access.guard import Guard, conflict
from drawloom.access.names import folded
from drawloom.access.passwords import Passwords
from drawloom.access.principal import Principal
from drawloom.access.sessions import Sessions, SignedIn
from drawloom.access.store import Store
from drawloom.access.throttling import PER_ACCOUNT, PER_ADDRESS, SECOND
from drawloom.errors import AccessRefused, FailureKind


@dataclass(frozen=True, slots=True)
class _Guess:
    """An attempt that was counted, and what it is to be checked against."""

    user: str
    kept: str | None = field(repr=False)
    account: str
    address: str


class Logins:
    """Who knows a password. Nothing here says whether there is such a name."""

    def __init__(self, guard: Guard, sessions: Sessions, hashes: Passwords) -> None:
        self._guard = guard
        self._store: Store = guard.store
        self._sessions = sessions
        self._hashes = hashes

    def login(self, principal: Principal, name: str, password: str) -> SignedIn:
        """A new session for whoever has that name and password.

        Raises `AccessRefused`: denied, or throttled with `retry_after`. An unknown name, a
        wrong password and a disabled account are refused alike, after the same work.
        """
        row = self._store.row("user_by_login", principal.tenant, folded(name))
        user, kept = row or ("", None)
        guess = self._counted(principal, user, kept, name)
        if not self._hashes.verify(kept, password):
            raise self._failed(principal, user)
        anew = self._grown(kept, password)
        with self._store.changing():
            signed_in = self._succeeded(principal, guess, anew)
        if signed_in is None:  # disabled, or given another password meanwhile
            raise self._failed(principal, user)
        return signed_in

    def change_password(self, principal: Principal, current: str, new: str) -> Shown:
        """Another password of one's own; the new id of the session. All other sessions end.

        Tokens stay. Raises `AccessRefused`: denied, throttled, or invalid where it is unfit.
        """
        with self._guard.watched(principal):
            own = self._guard.signed_in(principal)
        passwords.check(own.name, new)
        kept: str = self._store.row("password", own.tenant, own.user)[0]
        guess = self._counted(own, own.user, kept, own.name)
        if not self._hashes.verify(kept, current):
            raise self._failed(own, own.user)
        hashed = self._hashes.hash(new)
        with self._guard.changing_own(own) as change:
            if not self._store.rows("change_password", hashed, own.tenant, own.user, kept):
                raise conflict("stale", "the password was changed meanwhile; sign in again")
            self._guard.counting.undo(own.tenant, guess.account, guess.address)
            self._store.rows("end_sessions", own.tenant, own.user, own.credential)
            change.told("password.changed", own.user)
            return self._sessions.renewed(own)

    def _counted(self, principal: Principal, user: str, kept: str | None, name: str) -> _Guess:
        """Count the attempt before it is known how it ends: many at once are no way round it."""
        counting, tenant = self._guard.counting, principal.tenant
        account = counting.account(tenant, user or None, folded(name))
        address = counting.address(principal)
        pause, tell = counting.admit(tenant, (account, PER_ACCOUNT), (address, PER_ADDRESS))
        if not pause:
            return _Guess(user, kept, account, address)
        if tell:  # the first; the rest of this wait is only refused
            until = self._store.now() + pause
            self._guard.audit.append(
                principal, "login.throttled", user, "", "denied", {"silent_until": until}
            )
        raise AccessRefused(
            FailureKind.THROTTLED, "throttled", "too many failed logins; wait", pause / SECOND
        )

    def _failed(self, principal: Principal, user: str) -> AccessRefused:
        # Not the name: people type their password into the wrong field.
        self._guard.audit.append(principal, "login", user, "", "failed")
        return AccessRefused(
            FailureKind.DENIED, "login-failed", "the name or the password is wrong"
        )

    def _grown(self, kept: str | None, password: str) -> str | None:
        return self._hashes.hash(password) if kept and self._hashes.is_weaker(kept) else None

    def _succeeded(self, principal: Principal, guess: _Guess, anew: str | None) -> SignedIn | None:
        tenant = principal.tenant
        if self._store.row("still_so", tenant, guess.user, guess.kept) is None:
            return None
        if anew is not None:
            self._store.rows("change_password", anew, tenant, guess.user, guess.kept)
        self._guard.counting.undo(tenant, guess.account, guess.address)
        signed_in = self._sessions.made(principal, guess.user)
        self._guard.audit.append(signed_in.principal, "login", guess.user)
        return signed_in
