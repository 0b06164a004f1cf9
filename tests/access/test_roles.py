"""Who may do what: the table in the words of this test, each role, action and foreign team."""

from __future__ import annotations

import pytest
from tests.access.people import World, refused

from drawloom.access import Action, Principal, Role, may
from drawloom.access.roles import require

# From the first column on, everybody further to the right may, too.
WRITTEN_OUT = """
chains.read       viewer
runs.read         viewer
tools.read        viewer
connections.read  viewer
triggers.read     viewer
members.read      viewer
tokens.own        viewer
runs.start        runner
runs.cancel       runner
runs.answer       runner
connections.use   runner
tools.call        runner
chains.write      author
chains.publish    author
triggers.write    author
runs.resolve      author
code.write        admin
connections.write admin
secrets.write     admin
users.manage      admin
audit.read        admin
teams.manage      owner
teams.adopt       owner
accounts.remove   owner
"""
ORDER = ("viewer", "runner", "author", "admin", "owner")
LOWEST = dict(line.split() for line in WRITTEN_OUT.strip().splitlines())


def of(team: str, role: str, scopes: frozenset[str] | None = None) -> Principal:
    return Principal(user="u", roles={team: Role(role)}, scopes=scopes)


def test_the_table_has_every_action_and_every_role() -> None:
    assert {*LOWEST} == {*Action}
    assert [*ORDER] == sorted(Role, key=lambda role: role.rank)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", ORDER)
@pytest.mark.parametrize("own", ["main", "looms"])
def test_each_role_each_action_and_each_foreign_team(own: str, role: str, action: Action) -> None:
    allowed = ORDER.index(role) >= ORDER.index(LOWEST[action])
    assert may(of(own, role), action, own) is allowed
    for foreign in {"main", "looms", "", "MAIN", "nowhere"} - {own}:
        assert not may(of(own, role), action, foreign)
        with refused("denied"):
            require(of(own, role), action, foreign)
    # Another role elsewhere changes nothing here.
    both = Principal(user="u", roles={own: Role(role), "else": Role.OWNER})
    assert may(both, action, own) is allowed


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", ORDER)
def test_scopes_take_away_and_never_add(role: str, action: Action) -> None:
    has = may(of("main", role), action, "main")
    assert may(of("main", role, frozenset({action})), action, "main") is has
    assert not may(of("main", role, frozenset(Action) - {action}), action, "main")
    assert not may(of("main", role, frozenset()), action, "main")


@pytest.mark.parametrize("action", Action)
def test_who_has_not_signed_in_may_nothing(world: World, action: Action) -> None:
    world.owner()
    forged = {"main": Role.OWNER}
    for stranger in (
        Principal(),
        Principal(roles=forged),
        Principal.terminal("root"),
        Principal(via=Principal.terminal("root").via, roles=forged),
    ):
        with refused("denied"):
            world.access.require(stranger, action, "main")


def test_forged_roles_and_scopes_are_looked_up_again(world: World) -> None:
    viewer = world.joined(world.owner(), "Vera", Role.VIEWER)
    forged = Principal(
        user=viewer.user, via=viewer.via, credential=viewer.credential, roles={"main": Role.OWNER}
    )
    with refused("denied"):
        world.access.require(forged, Action.USERS_MANAGE, "main")
    other = Principal(user="user_0", via=viewer.via, credential=viewer.credential)
    with refused("not-signed-in"):
        world.access.require(other, Action.CHAINS_READ, "main")


def test_a_denied_attempt_is_in_the_audit_with_who_what_and_where(world: World) -> None:
    owner = world.owner()
    viewer = world.joined(owner, "Vera", Role.VIEWER)
    with refused("denied") as raised:
        world.access.require(viewer, Action.CHAINS_WRITE, "main", "late-orders")
    assert raised.value.failure.kind == "denied"
    entry = world.access.audit(owner, "main").items[0]
    assert (entry.outcome, entry.did, entry.what) == ("denied", "chains.write", "late-orders")
    assert (entry.who, entry.name, entry.team) == (viewer.user, "Vera", "main")
    assert (entry.address, entry.agent, entry.at) == ("192.0.2.7", "Mozilla/5.0", world.clock.at)
    assert entry.via == f"session:{viewer.credential}"
