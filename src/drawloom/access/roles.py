"""What each role may do: one table, and the one function that looks into it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from drawloom.access.principal import Principal, Role
from drawloom.errors import AccessRefused, FailureKind

HOME: Final = "main"  # the first team; its admins look after the accounts of all


class Action(StrEnum):
    """What somebody may do in a team."""

    CHAINS_READ = "chains.read"
    RUNS_READ = "runs.read"
    TOOLS_READ = "tools.read"
    CONNECTIONS_READ = "connections.read"  # names and kinds
    TRIGGERS_READ = "triggers.read"
    MEMBERS_READ = "members.read"
    TOKENS_OWN = "tokens.own"  # make tokens for oneself
    RUNS_START = "runs.start"
    RUNS_CANCEL = "runs.cancel"
    RUNS_ANSWER = "runs.answer"  # approve, signal
    CONNECTIONS_USE = "connections.use"
    TOOLS_CALL = "tools.call"
    CHAINS_WRITE = "chains.write"
    CHAINS_PUBLISH = "chains.publish"
    TRIGGERS_WRITE = "triggers.write"
    RUNS_RESOLVE = "runs.resolve"  # say what came of a call whose outcome nobody knows
    CODE_WRITE = "code.write"  # code steps, Terraform, Ansible, containers
    CONNECTIONS_WRITE = "connections.write"
    SECRETS_WRITE = "secrets.write"  # and see their names
    USERS_MANAGE = "users.manage"  # invite, remove, change roles; in the first team: disable
    AUDIT_READ = "audit.read"
    TEAMS_MANAGE = "teams.manage"  # rename; in the first team: make
    TEAMS_ADOPT = "teams.adopt"  # in the first team: become an owner of any other
    ACCOUNTS_REMOVE = "accounts.remove"  # in the first team: delete an account


_VIEWER: Final = frozenset(
    {
        Action.CHAINS_READ,
        Action.RUNS_READ,
        Action.TOOLS_READ,
        Action.CONNECTIONS_READ,
        Action.TRIGGERS_READ,
        Action.MEMBERS_READ,
        Action.TOKENS_OWN,
    }
)
_RUNNER: Final = _VIEWER | {
    Action.RUNS_START,
    Action.RUNS_CANCEL,
    Action.RUNS_ANSWER,
    Action.CONNECTIONS_USE,
    Action.TOOLS_CALL,
}
_AUTHOR: Final = _RUNNER | {
    Action.CHAINS_WRITE,
    Action.CHAINS_PUBLISH,
    Action.TRIGGERS_WRITE,
    Action.RUNS_RESOLVE,
}
_ADMIN: Final = _AUTHOR | {
    Action.CODE_WRITE,
    Action.CONNECTIONS_WRITE,
    Action.SECRETS_WRITE,
    Action.USERS_MANAGE,
    Action.AUDIT_READ,
}
_OWNER: Final = _ADMIN | {Action.TEAMS_MANAGE, Action.TEAMS_ADOPT, Action.ACCOUNTS_REMOVE}

TABLE: Final[Mapping[Role, frozenset[Action]]] = {
    Role.VIEWER: _VIEWER,
    Role.RUNNER: _RUNNER,
    Role.AUTHOR: _AUTHOR,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _OWNER,
}

# What a stolen token must not do: give itself a longer life.
NEVER_BY_TOKEN: Final = frozenset({Action.TOKENS_OWN})


def may(principal: Principal, action: Action, team: str) -> bool:
    """Whether the role in *team* grants it, and the scopes of a token do not take it away.

    A role in one team says nothing of another, the first team included.
    """
    role = principal.roles.get(team)
    granted = role is not None and action in TABLE[role]
    return granted and (principal.scopes is None or action in principal.scopes)


def require(principal: Principal, action: Action, team: str) -> None:
    """Raises `AccessRefused` (denied) where `may` says no."""
    if not may(principal, action, team):
        raise AccessRefused(
            FailureKind.DENIED,
            "denied",
            f"{principal.name or 'nobody'} may not {action} in the team {team}",
            action=str(action),
            team=team,
        )


def require_rank(principal: Principal, team: str, *roles: Role | None) -> None:
    """Raises `AccessRefused` where one of *roles* is above one's own: none lifts or topples those."""
    own = principal.roles.get(team)
    for role in roles:
        if role is not None and (own is None or role.rank > own.rank):
            raise AccessRefused(
                FailureKind.DENIED,
                "rank",
                f"{principal.name or 'nobody'} may not give or take the role {role} in the team "
                f"{team}",
                action=f"role.{role}",
                team=team,
            )
