"""API tokens: named, limited to actions, and with an end. Only their SHA-256 is kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from drawloom.access.credentials import Shown, digest, is_token, new_id, new_token
from drawloom.access.guard import Guard, conflict, missing, not_signed_in
from drawloom.access.names import plain_name
from drawloom.access.principal import Principal, Via
from drawloom.access.roles import NEVER_BY_TOKEN, Action, may
from drawloom.access.store import Store
from drawloom.access.throttling import SECOND
from drawloom.errors import AccessRefused, FailureKind

LONGEST: Final = 366 * 24 * 3600 * SECOND  # no token lives longer
_MOST: Final = 100  # live tokens of one user
_NOTED: Final = 600 * SECOND  # how exactly the last use is known


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only moment at which it can be seen."""

    id: str
    token: Shown


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token. Times in microseconds; *used_at* is about right."""

    id: str
    name: str
    scopes: tuple[str, ...]
    made_at: int
    expires_at: int
    used_at: int | None
    revoked_at: int | None


class Tokens:
    """The tokens of one store."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._store: Store = guard.store

    def make(
        self, principal: Principal, name: str, scopes: Collection[Action], expires_at: int
    ) -> NewToken:
        """A token of one's own. Needs a session, and a role somewhere that grants each scope.

        Roles that are lost later are lost for it, too. Raises `AccessRefused`.
        """
        named, now = plain_name(name), self._store.now()
        _check_end(now, expires_at)
        id, secret = new_id(self._store.entropy, "token"), new_token(self._store.entropy)
        with self._guard.changing_own(principal) as change:
            own = change.principal
            _check_scopes(own, scopes)
            if self._store.row("count_tokens", own.tenant, own.user, now)[0] >= _MOST:
                raise conflict("too-many", f"there are {_MOST} tokens already; revoke some")
            self._store.rows("drop_ended_tokens", own.tenant, own.user, now, _MOST)
            said = json.dumps(sorted(scopes))
            row = (own.tenant, id, digest(secret.reveal()), own.user, named, said, now, expires_at)
            self._store.rows("add_token", *row)
            change.told("token.made", id, scopes=sorted(scopes), expires_at=expires_at)
        return NewToken(id, secret)

    def authenticate(self, principal: Principal, token: str) -> Principal:
        """Whose token it is, with what it may. Raises `AccessRefused` (denied)."""
        with self._guard.strangers(principal):
            row = None
            if is_token(token):
                row = self._store.row("token_by_hash", principal.tenant, digest(token))
            if row is None:
                raise not_signed_in()
            id, user, used_at = row
            origin = principal.origin
            claimed = Principal(principal.tenant, user, "", Via.TOKEN, id, origin=origin)
            known = self._guard.fresh(claimed)
        if self._store.now() - (used_at or 0) > _NOTED:
            self._store.rows("token_used", self._store.now(), principal.tenant, id)
        return known

    def revoke(self, principal: Principal, token: str) -> None:
        """End one of one's own tokens, by its id. Raises `AccessRefused` (missing)."""
        with self._guard.changing_own(principal) as change:
            own, now = change.principal, self._store.now()
            if not self._store.rows("revoke_token", now, own.tenant, own.user, token):
                raise missing("token")
            change.told("token.revoked", token)

    def listed(self, principal: Principal) -> list[Token]:
        """One's own tokens the latest first; with a hundred that ended."""
        with self._guard.watched(principal):
            own = self._guard.signed_in(principal)
        rows = self._store.rows("tokens", own.tenant, own.user, 2 * _MOST + 1)
        return [Token(r[0], r[1], tuple(json.loads(r[2])), *r[3:]) for r in rows]


def _check_end(now: int, expires_at: int) -> None:
    if not now < expires_at <= now + LONGEST:
        raise AccessRefused(
            FailureKind.INVALID,
            "expiry-unfit",
            f"a token ends in the future, within {LONGEST // SECOND // 86_400} days",
        )


def _check_scopes(own: Principal, scopes: Collection[Action]) -> None:
    if not scopes:
        raise AccessRefused(FailureKind.INVALID, "scopes-unfit", "a token has at least one scope")
    for scope in sorted({*scopes, Action.TOKENS_OWN}):
        by_token = scope in scopes and scope in NEVER_BY_TOKEN
        if by_token or not any(may(own, scope, team) for team in own.roles):
            raise AccessRefused(
                FailureKind.DENIED,
                "scope-denied",
                f"no token of yours may {scope}",
                action=str(Action.TOKENS_OWN),
                scope=str(scope),
            )
