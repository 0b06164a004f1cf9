"""Before each act: who asks is looked up again, and what is denied is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from drawloom.access.audit import Audit
from drawloom.access.counting import Counting
from drawloom.access.principal import Principal, Role, Via
from drawloom.access.roles import Action, require
from drawloom.access.store import Store
from drawloom.access.throttling import PER_STRANGER
from drawloom.errors import AccessRefused, FailureKind


@dataclass(frozen=True, slots=True)
class Change:
    """A change under way, and who makes it."""

    principal: Principal
    audit: Audit

    def told(self, did: str, what: str = "", team: str = "", **details: Any) -> int:
        """Write it down; the number of the entry, which is the version of what was changed."""
        return self.audit.append(self.principal, did, what, team, details=details)


class Guard:
    """Stands before every function of the room."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self.store = store
        self.audit = audit
        self.counting = Counting(store)

    def fresh(self, principal: Principal) -> Principal:
        """The principal with the roles and scopes of now. Raises `AccessRefused` (denied).

        A token has what its owner has at this moment, and of that what its scopes name.
        """
        if principal.via not in (Via.SESSION, Via.TOKEN):
            return replace(principal, user="", roles={}, scopes=frozenset())
        given = (principal.tenant, principal.credential, self.store.now())
        row = self.store.row(f"live_{principal.via}", *given)
        if row is None or row[0] != principal.user:
            raise not_signed_in()
        user, name, scopes = row
        roles = {t: Role(r) for t, r in self.store.rows("roles", principal.tenant, user)}
        limited = None if scopes is None else frozenset(json.loads(scopes))
        return replace(principal, user=user, name=name, roles=roles, scopes=limited)

    def require(
        self, principal: Principal, action: Action, team: str, what: str = ""
    ) -> Principal:
        """The principal of now, which may do it. Raises `AccessRefused`, and writes that down."""
        with self.watched(principal, what):
            known = self.fresh(principal)
            require(known, action, team)
            return known

    @contextmanager
    def changing(
        self, principal: Principal, action: Action, team: str, what: str = ""
    ) -> Iterator[Change]:
        """A change by somebody who may, in one transaction with its audit."""
        with self.watched(principal, what), self.store.changing():
            known = self.fresh(principal)
            require(known, action, team)
            yield Change(known, self.audit)

    @contextmanager
    def changing_own(self, principal: Principal) -> Iterator[Change]:
        """A change of what is one's own, which needs a session and no role."""
        with self.watched(principal), self.store.changing():
            yield Change(self.signed_in(principal), self.audit)

    def signed_in(self, principal: Principal) -> Principal:
        """The principal of now, who has a session. Raises `AccessRefused` (denied)."""
        known = self.fresh(principal)
        if known.via is not Via.SESSION:
            raise AccessRefused(
                FailureKind.DENIED, "needs-session", "this needs a login, not a token"
            )
        return known

    @contextmanager
    def watched(self, principal: Principal, what: str = "") -> Iterator[None]:
        """Write down what is denied inside, and on *what*, once its change is undone."""
        try:
            yield
        except AccessRefused as refused:
            if refused.failure.kind is FailureKind.DENIED:
                self._write_down(principal, refused, what)
            raise

    @contextmanager
    def strangers(self, principal: Principal) -> Iterator[None]:
        """As `watched`, for who is not known yet: nobody outside can fill the audit.

        From an address that goes on and on, one entry says until when no more are written.
        """
        try:
            yield
        except AccessRefused as refused:
            if refused.failure.kind is FailureKind.DENIED:
                key = self.counting.address(principal, "stranger")
                pause, tell = self.counting.admit(principal.tenant, (key, PER_STRANGER))
                until = self.store.now() + pause if pause else None
                if tell:
                    self._write_down(principal, refused, "", until)
            raise

    def _write_down(
        self,
        principal: Principal,
        refused: AccessRefused,
        what: str,
        silent_until: int | None = None,
    ) -> None:
        details = dict(refused.failure.details or {})
        if silent_until is not None:
            details["silent_until"] = silent_until
        did, team = details.pop("action", refused.code), details.pop("team", "")
        self.audit.append(principal, did, what, team, "denied", details)


def not_signed_in() -> AccessRefused:
    """Of a session or token that is unknown, over, or of somebody who is disabled."""
    return AccessRefused(
        FailureKind.DENIED, "not-signed-in", "sign in: this session or token is not valid"
    )


def missing(what: str) -> AccessRefused:
    """Of an id that is not there, or of another team."""
    return AccessRefused(FailureKind.MISSING, "missing", f"there is no such {what}")


def conflict(code: str, message: str, **details: Any) -> AccessRefused:
    """Of a change that the present state does not allow."""
    return AccessRefused(FailureKind.CONFLICT, code, message, **details)


def check_version(what: str, present: int, given: int) -> None:
    """Raises `AccessRefused` (conflict) where somebody changed it meanwhile."""
    if present != given:
        raise conflict(
            "stale", f"the {what} was changed meanwhile; look again, then decide", version=present
        )
