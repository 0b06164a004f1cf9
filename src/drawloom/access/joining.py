"""How people come in: the first owner by a link of the terminal, all others by invitation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from drawloom.access import passwords
from drawloom.access.credentials import Shown, digest, new_id, new_secret
from drawloom.access.guard import Guard, conflict, missing
from drawloom.access.names import folded, plain_name
from drawloom.access.pages import bounded
from drawloom.access.passwords import Passwords
from drawloom.access.principal import Principal, Role, Via
from drawloom.access.roles import HOME, Action, may, require_rank
from drawloom.access.sessions import Sessions, SignedIn
from drawloom.access.store import Store
from drawloom.access.throttling import SECOND
from drawloom.errors import AccessRefused, FailureKind

OWNER_LINK: Final = 3600 * SECOND  # how long it is good
INVITATION: Final = 7 * 24 * 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was just made: its *secret* is the path of a URL, and works once."""

    id: str
    secret: Shown
    expires_at: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that nobody has taken yet."""

    id: str
    name: str
    role: Role
    made_by: str
    made_at: int
    expires_at: int


class Joining:
    """One-time links. Of their secrets only hashes are kept."""

    def __init__(self, guard: Guard, sessions: Sessions, hashes: Passwords) -> None:
        self._guard = guard
        self._store: Store = guard.store
        self._sessions = sessions
        self._hashes = hashes

    def has_owner(self, principal: Principal) -> bool:
        """Whether the first owner is there. A server binds to loopback alone until then."""
        return self._store.row("an_owner", principal.tenant, HOME) is not None

    def owner_link(self, principal: Principal) -> Link:
        """The link with which the first owner is made, for one hour; an earlier one is over.

        Only for the terminal. Raises `AccessRefused` (conflict) once there is an owner.
        """
        with self._guard.watched(principal), self._store.changing():
            if principal.via is not Via.TERMINAL:
                raise AccessRefused(
                    FailureKind.DENIED,
                    "terminal-only",
                    "the first owner's link is made at a terminal",
                )
            self._refuse_second(principal)
            self._store.rows("drop_owner_links", principal.tenant)
            link = self._made(principal, "owner", HOME, Role.OWNER, "", OWNER_LINK)
            self._guard.audit.append(principal, "owner.linked", link.id, HOME)
            return link

    def invite(self, principal: Principal, team: str, name: str, role: Role) -> Link:
        """A link by which somebody of that name becomes a member, for a week.

        Raises `AccessRefused`: denied, also for a role above one's own; conflict where
        there is such an account already, which can be made a member at once.
        """
        named = plain_name(name)
        with self._guard.changing(principal, Action.USERS_MANAGE, team) as change:
            require_rank(change.principal, team, role)
            self._refuse_taken(principal.tenant, named)
            link = self._made(change.principal, "invite", team, role, named, INVITATION)
            change.told("user.invited", link.id, team, name=named, role=str(role))
            return link

    def invitations(self, principal: Principal, team: str, limit: int = 100) -> list[Invitation]:
        """Those of a team that are good, the latest first."""
        known = self._guard.require(principal, Action.USERS_MANAGE, team)
        given = (known.tenant, team, self._store.now(), bounded(limit))
        rows = self._store.rows("invitations", *given)
        return [Invitation(r[0], r[1], Role(r[2]), *r[3:]) for r in rows]

    def withdraw(self, principal: Principal, team: str, link: str) -> None:
        """Take an invitation back. Raises `AccessRefused` (missing)."""
        with self._guard.changing(principal, Action.USERS_MANAGE, team, link) as change:
            if not self._store.rows("drop_invitation", principal.tenant, team, link):
                raise missing("invitation")
            change.told("invitation.withdrawn", link, team)

    def become_owner(
        self, principal: Principal, secret: str, name: str, password: str
    ) -> SignedIn:
        """Make the first owner, who is signed in. It hashes: call it through `Aside`.

        Raises `AccessRefused`: denied for a link that is used, over or unknown; conflict
        where another was first.
        """
        self._good(principal, secret, "owner")
        named = plain_name(name)
        passwords.check(named, password)
        hashed = self._hashes.hash(password)
        with self._guard.strangers(principal), self._store.changing():
            link = self._taken(principal, secret, "owner")
            self._refuse_second(principal)
            self._make_home(principal)
            return self._joined(principal, link, named, hashed)

    def join(self, principal: Principal, secret: str, password: str) -> SignedIn:
        """Take an invitation: an account with its name, a member of its team, signed in.

        It hashes: call it through `Aside`. Raises `AccessRefused`: denied for a link that is
        used, over or unknown, or whose inviter may no longer invite to that role.
        """
        found = self._good(principal, secret, "invite")
        passwords.check(found[3], password)
        hashed = self._hashes.hash(password)
        with self._guard.strangers(principal), self._store.changing():
            link = self._taken(principal, secret, "invite")
            self._check_inviter(principal.tenant, link)
            self._refuse_taken(principal.tenant, link[3])
            return self._joined(principal, link, link[3], hashed)

    def _made(
        self, by: Principal, purpose: str, team: str, role: Role, name: str, life: int
    ) -> Link:
        entropy, now = self._store.entropy, self._store.now()
        id, secret = new_id(entropy, "link"), new_secret(entropy)
        self._store.rows("drop_links", by.tenant, now)
        head = (by.tenant, digest(secret.reveal()), id, purpose, team, str(role))
        self._store.rows("add_link", *head, name, by.user, now, now + life)
        return Link(id, secret, now + life)

    def _good(self, principal: Principal, secret: str, purpose: str) -> Any:
        """The link, unless it is no good: then nothing is hashed for it."""
        given = (principal.tenant, digest(secret), purpose, self._store.now())
        row = self._store.row("link", *given)
        if row is None:
            with self._guard.strangers(principal):
                raise _unusable()
        return row

    def _taken(self, principal: Principal, secret: str, purpose: str) -> Any:
        """The link, used up: of two that come at once, one has it."""
        given = (principal.tenant, digest(secret), purpose, self._store.now())
        row = self._store.row("take_link", *given)
        if row is None:
            raise _unusable()
        return row

    def _joined(self, principal: Principal, link: Any, name: str, hashed: str) -> SignedIn:
        id, team, role, _, made_by = link
        user, tenant = new_id(self._store.entropy, "user"), principal.tenant
        at, login = self._store.now(), folded(name)
        told = {"name": name, "role": role, "link": id, "invited_by": made_by}
        seq = self._guard.audit.append(principal, "user.joined", user, team, details=told)
        self._store.rows("add_user", tenant, user, name, login, hashed, seq, at)
        self._store.rows("put_member", tenant, team, user, role, seq, at)
        return self._sessions.made(principal, user)

    def _make_home(self, principal: Principal) -> None:
        at, name = self._store.now(), HOME
        if self._store.row("team", principal.tenant, HOME) is None:
            seq = self._guard.audit.append(
                principal, "team.made", HOME, HOME, details={"name": name}
            )
            self._store.rows("add_team", principal.tenant, HOME, name, folded(name), seq, at)

    def _check_inviter(self, tenant: str, link: Any) -> None:
        _, team, role, _, made_by = link
        rows = self._store.rows("live_roles", tenant, made_by)
        inviter = Principal(tenant, made_by, roles={t: Role(r) for t, r in rows})
        own = inviter.roles.get(team)
        if not may(inviter, Action.USERS_MANAGE, team) or (own and own.rank < Role(role).rank):
            raise _unusable()

    def _refuse_second(self, principal: Principal) -> None:
        if self.has_owner(principal):
            raise conflict("has-owner", "there is an owner already, who can invite you")

    def _refuse_taken(self, tenant: str, name: str) -> None:
        if self._store.row("user_by_login", tenant, folded(name)) is not None:
            raise conflict("name-taken", "there is an account of that name")


def _unusable() -> AccessRefused:
    return AccessRefused(
        FailureKind.DENIED, "link-unusable", "this link is used, over or unknown; ask for another"
    )
