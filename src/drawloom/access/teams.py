"""Teams and their members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drawloom.access.credentials import new_id
from drawloom.access.guard import Change, Guard, check_version, conflict, missing
from drawloom.access.names import folded, plain_name
from drawloom.access.pages import Page, bounded
from drawloom.access.principal import Principal, Role
from drawloom.access.roles import HOME, Action, require_rank
from drawloom.access.store import Store


@dataclass(frozen=True, slots=True)
class Team:
    """A team, and what one is in it."""

    id: str
    name: str
    version: int
    role: Role


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team. *version* is that of the membership."""

    user: str
    name: str
    login: str
    role: Role
    version: int
    disabled: bool


class Teams:
    """The teams of one store."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._store: Store = guard.store

    def mine(self, principal: Principal) -> list[Team]:
        """The teams that one is in, by name."""
        with self._guard.watched(principal):
            known = self._guard.fresh(principal)
        rows = self._store.rows("teams_of", known.tenant, known.user)
        return [Team(r[0], r[1], r[2], Role(r[3])) for r in rows]

    def all(self, principal: Principal) -> list[tuple[str, str]]:
        """Id and name of every team, for an owner of the first one, who may adopt each."""
        known = self._guard.require(principal, Action.TEAMS_ADOPT, HOME)
        return [(id, name) for id, name in self._store.rows("all_teams", known.tenant)]

    def make(self, principal: Principal, name: str) -> Team:
        """A new team, of which its maker is the owner. Raises `AccessRefused`."""
        named = plain_name(name)
        with self._guard.changing(principal, Action.TEAMS_MANAGE, HOME) as change:
            own, at = change.principal, self._store.now()
            self._refuse_taken(own.tenant, named)
            id = new_id(self._store.entropy, "team")
            seq = change.told("team.made", id, id, name=named)
            self._store.rows("add_team", own.tenant, id, named, folded(named), seq, at)
            self._put(change, id, own.user, None, Role.OWNER)
            return Team(id, named, seq, Role.OWNER)

    def rename(self, principal: Principal, team: str, name: str, version: int) -> int:
        """Another name; the new version. Raises `AccessRefused`: denied, conflict."""
        named = plain_name(name)
        with self._guard.changing(principal, Action.TEAMS_MANAGE, team, team) as change:
            tenant = principal.tenant
            was, present = self._store.row("team", tenant, team)
            check_version("team", present, version)
            if folded(named) != folded(was):
                self._refuse_taken(tenant, named)
            seq = change.told("team.renamed", team, team, name=named, was=was)
            self._store.rows("rename_team", named, folded(named), seq, tenant, team)
            return seq

    def adopt(self, principal: Principal, team: str) -> int:
        """Become an owner of a team whose own owners cannot act; seen in its audit."""
        with self._guard.changing(principal, Action.TEAMS_ADOPT, HOME, team) as change:
            own = change.principal
            if self._store.row("team", own.tenant, team) is None:
                raise missing("team")
            return self._put(change, team, own.user, own.roles.get(team), Role.OWNER)

    def members(
        self, principal: Principal, team: str, cursor: str | None = None, limit: int = 50
    ) -> Page[Member]:
        """Who is in a team, by name."""
        known = self._guard.require(principal, Action.MEMBERS_READ, team)
        given = (known.tenant, team, cursor or "", bounded(limit) + 1)
        rows = self._store.rows("members", *given)
        found = [Member(r[0], r[1], r[2], Role(r[3]), r[4], r[5] is not None) for r in rows]
        return Page.of(found, limit, lambda member: member.login)

    def add(self, principal: Principal, team: str, name: str, role: Role) -> int:
        """Make somebody who has an account a member, by name; the version of the membership."""
        with self._guard.changing(principal, Action.USERS_MANAGE, team) as change:
            require_rank(change.principal, team, role)
            found = self._store.row("user_by_login", principal.tenant, folded(name))
            if found is None:
                raise missing("account")
            if self._store.row("member", principal.tenant, team, found[0]) is not None:
                raise conflict("is-member", "this one is a member already")
            return self._put(change, team, found[0], None, role)

    def set_role(
        self, principal: Principal, team: str, user: str, role: Role, version: int
    ) -> int:
        """Another role for a member; the new version. Their sessions get new ids.

        Raises `AccessRefused`: denied, also where the old or the new role is above one's
        own; conflict for a stale *version*, and for the last owner.
        """
        with self._guard.changing(principal, Action.USERS_MANAGE, team, user) as change:
            was = self._member(change, team, user, version)
            require_rank(change.principal, team, was, role)
            seq = self._put(change, team, user, was, role)
            refuse_ownerless(self._store, principal.tenant)
            return seq

    def remove(self, principal: Principal, team: str, user: str, version: int) -> None:
        """Take somebody out of a team. The account stays. Raises `AccessRefused`."""
        with self._guard.changing(principal, Action.USERS_MANAGE, team, user) as change:
            was = self._member(change, team, user, version)
            require_rank(change.principal, team, was)
            change.told("member.removed", user, team, was=str(was))
            self._store.rows("remove_member", principal.tenant, team, user)
            self._store.rows("rotate_sessions", principal.tenant, user)
            refuse_ownerless(self._store, principal.tenant)

    def _member(self, change: Change, team: str, user: str, version: int) -> Role:
        row: Any = self._store.row("member", change.principal.tenant, team, user)
        if row is None:
            raise missing("member")
        check_version("member", row[1], version)
        return Role(row[0])

    def _put(self, change: Change, team: str, user: str, was: Role | None, role: Role) -> int:
        tenant, before = change.principal.tenant, None if was is None else str(was)
        seq = change.told("member.set", user, team, role=str(role), was=before)
        self._store.rows("put_member", tenant, team, user, str(role), seq, self._store.now())
        self._store.rows("rotate_sessions", tenant, user)
        return seq

    def _refuse_taken(self, tenant: str, name: str) -> None:
        if self._store.row("team_by_name", tenant, folded(name)) is not None:
            raise conflict("name-taken", "there is a team of that name")


def refuse_ownerless(store: Store, tenant: str) -> None:
    """Raises `AccessRefused` (conflict) where the change left a team without an owner who can act."""
    row = store.row("ownerless", tenant)
    if row is not None:
        raise conflict(
            "last-owner",
            f"the team {row[1]!r} would have no owner; make another first",
            team=row[0],
        )
