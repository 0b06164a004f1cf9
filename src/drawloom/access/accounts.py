"""Accounts, whatever team they are in: the admins of the first team look after them."""

from __future__ import annotations

from dataclasses import dataclass

from drawloom.access.guard import Change, Guard, check_version, missing
from drawloom.access.pages import Page, bounded
from drawloom.access.principal import Principal, Role
from drawloom.access.roles import HOME, Action, require_rank
from drawloom.access.store import Store
from drawloom.access.teams import refuse_ownerless


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in, unless *disabled_at*."""

    id: str
    name: str
    login: str
    version: int
    made_at: int
    disabled_at: int | None


class Accounts:
    """The accounts of one store."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._store: Store = guard.store

    def listed(
        self, principal: Principal, cursor: str | None = None, limit: int = 50
    ) -> Page[Account]:
        """All accounts, by name."""
        known = self._guard.require(principal, Action.USERS_MANAGE, HOME)
        given = (known.tenant, cursor or "", bounded(limit) + 1)
        found = [Account(*row) for row in self._store.rows("accounts", *given)]
        return Page.of(found, limit, lambda account: account.login)

    def disable(self, principal: Principal, user: str, version: int) -> int:
        """No login any more, and all sessions and tokens end at once; the new version.

        Raises `AccessRefused`: denied where their role in the first team is above one's own,
        conflict for a stale *version*, or where a team would have no owner.
        """
        with self._guard.changing(principal, Action.USERS_MANAGE, HOME, user) as change:
            self._check(change, user, version)
            tenant, at = principal.tenant, self._store.now()
            seq = change.told("user.disabled", user, HOME)
            self._store.rows("disable_user", at, seq, tenant, user)
            self._store.rows("end_sessions", tenant, user, "")
            self._store.rows("revoke_tokens", at, tenant, user)
            refuse_ownerless(self._store, tenant)
            return seq

    def enable(self, principal: Principal, user: str, version: int) -> int:
        """Login again, with the roles of before; sessions and tokens stay ended."""
        with self._guard.changing(principal, Action.USERS_MANAGE, HOME, user) as change:
            self._check(change, user, version)
            seq = change.told("user.enabled", user, HOME)
            self._store.rows("disable_user", None, seq, principal.tenant, user)
            return seq

    def remove(self, principal: Principal, user: str, version: int) -> None:
        """Delete the account, with its memberships, sessions and tokens. The audit stays.

        Raises `AccessRefused` as `disable` does.
        """
        with self._guard.changing(principal, Action.ACCOUNTS_REMOVE, HOME, user) as change:
            self._check(change, user, version)
            change.told("user.removed", user, HOME)
            for table in ("tokens", "sessions", "members", "attempts", "links", "user"):
                self._store.rows(f"forget_{table}", principal.tenant, user)
            refuse_ownerless(self._store, principal.tenant)

    def _check(self, change: Change, user: str, version: int) -> None:
        row = self._store.row("user_version", change.principal.tenant, user)
        if row is None:
            raise missing("account")
        check_version("account", row[0], version)
        found = self._store.row("member", change.principal.tenant, HOME, user)
        require_rank(change.principal, HOME, None if found is None else Role(found[0]))
