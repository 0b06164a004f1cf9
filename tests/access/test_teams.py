"""Teams, members and accounts: ranks, versions, and always an owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.access.people import DAY, NOBODY, World, refused

from drawloom.access import Action, Principal, Role, Wanted


def test_a_team_has_its_maker_as_owner_and_is_foreign_to_all_others(
    world: World, owner: Principal
) -> None:
    admin = world.joined(owner, "Ada", Role.ADMIN)
    team = world.access.teams.make(owner, "Looms")
    assert [(t.name, t.role) for t in world.access.teams.mine(owner)] == [
        ("Looms", Role.OWNER),
        ("main", Role.OWNER),
    ]
    assert [t.name for t in world.access.teams.mine(admin)] == ["main"]
    with refused("denied"):
        world.access.teams.members(admin, team.id)
    with refused("denied"):
        world.access.teams.make(admin, "Another")
    assert world.access.teams.all(owner) == [(team.id, "Looms"), ("main", "main")]


def test_names_of_teams_are_unique_whatever_the_case(world: World, owner: Principal) -> None:
    team = world.access.teams.make(owner, "Looms")
    with refused("name-taken"):
        world.access.teams.make(owner, "LOOMS")
    with refused("name-taken"):
        world.access.teams.rename(owner, team.id, "Main", team.version)
    version = world.access.teams.rename(owner, team.id, "LOOMS", team.version)
    assert [t.version for t in world.access.teams.mine(owner) if t.name == "LOOMS"] == [version]


def test_a_stale_version_is_a_conflict_that_names_the_present_one(
    world: World, owner: Principal
) -> None:
    access, vera = world.access, world.joined(owner, "Vera", Role.VIEWER)
    team = access.teams.make(owner, "Looms")
    new = access.teams.rename(owner, team.id, "Weavers", team.version)
    account, member = world.account_version(owner, vera), world.version(owner, vera)
    after = access.teams.set_role(owner, "main", vera.user, Role.RUNNER, member)
    enabled = access.accounts.enable(owner, vera.user, account)
    stale: list[tuple[int, Callable[[], object]]] = [
        (new, lambda: access.teams.rename(owner, team.id, "Again", team.version)),
        (after, lambda: access.teams.set_role(owner, "main", vera.user, Role.ADMIN, member)),
        (after, lambda: access.teams.remove(owner, "main", vera.user, member)),
        (enabled, lambda: access.accounts.disable(owner, vera.user, account)),
        (enabled, lambda: access.accounts.enable(owner, vera.user, account)),
        (enabled, lambda: access.accounts.remove(owner, vera.user, account)),
    ]
    for present, act in stale:
        with refused("stale") as raised:
            act()
        assert raised.value.failure.kind == "conflict"
        assert (raised.value.failure.details or {})["version"] == present


def test_a_version_is_never_used_again(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.VIEWER)
    old = world.version(owner, vera)
    world.access.teams.remove(owner, "main", vera.user, old)
    new = world.access.teams.add(owner, "main", "vera", Role.VIEWER)
    assert new > old
    with refused("stale"):
        world.access.teams.remove(owner, "main", vera.user, old)


def test_the_last_owner_cannot_go(world: World, owner: Principal) -> None:
    access, version = world.access, world.version(owner, owner)
    account = world.account_version(owner, owner)
    acts: list[Callable[[], object]] = [
        lambda: access.teams.set_role(owner, "main", owner.user, Role.ADMIN, version),
        lambda: access.teams.remove(owner, "main", owner.user, version),
        lambda: access.accounts.disable(owner, owner.user, account),
        lambda: access.accounts.remove(owner, owner.user, account),
    ]
    before = world.told(owner)
    for act in acts:
        with refused("last-owner"):
            act()
    assert world.told(owner) == before  # undone, with its entry
    assert access.require(owner, Action.TEAMS_MANAGE, "main")
    other = world.joined(owner, "Otto", Role.OWNER)
    access.teams.set_role(owner, "main", owner.user, Role.ADMIN, version)
    with refused("last-owner"):
        access.accounts.disable(other, other.user, world.account_version(other, other))


def test_a_disabled_owner_is_not_enough(world: World, owner: Principal) -> None:
    other = world.joined(owner, "Otto", Role.OWNER)
    world.access.accounts.disable(owner, other.user, world.account_version(owner, other))
    with refused("last-owner"):
        world.access.teams.remove(owner, "main", owner.user, world.version(owner, owner))


def test_the_last_owner_of_any_team_counts(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.VIEWER)
    team = world.access.teams.make(owner, "Looms")
    world.access.teams.add(owner, team.id, "Vera", Role.OWNER)
    mine = world.version(owner, owner, team.id)
    world.access.teams.remove(owner, team.id, owner.user, mine)
    with refused("last-owner") as raised:
        world.access.accounts.disable(owner, vera.user, world.account_version(owner, vera))
    assert "Looms" in str(raised.value)
    with refused("denied"):
        world.access.teams.members(owner, team.id)
    world.access.teams.adopt(owner, team.id)
    world.access.accounts.disable(owner, vera.user, world.account_version(owner, vera))
    assert world.told(owner, team.id)[-1] == ("member.set", "done")


def test_only_an_owner_of_the_first_team_adopts(world: World, owner: Principal) -> None:
    team = world.access.teams.make(owner, "Looms")
    admin = world.joined(owner, "Ada", Role.ADMIN)
    other = world.joined(owner, "Theo", Role.OWNER, team.id)
    for somebody in (admin, other):
        with refused("denied"):
            world.access.teams.adopt(somebody, "main")
        with refused("denied"):
            world.access.teams.all(somebody)
    with refused("missing"):
        world.access.teams.adopt(owner, "team_0")


def test_nobody_touches_a_role_above_their_own(world: World, owner: Principal) -> None:
    teams = world.access.teams
    admin, author = (world.joined(owner, n, Role(n)) for n in ("admin", "author"))
    mine, theirs = world.version(owner, owner), world.version(owner, author)
    acts: list[Callable[[], object]] = [
        lambda: teams.set_role(admin, "main", owner.user, Role.VIEWER, mine),
        lambda: teams.remove(admin, "main", owner.user, mine),
        lambda: teams.set_role(admin, "main", author.user, Role.OWNER, theirs),
        lambda: world.access.accounts.disable(
            admin, owner.user, world.account_version(owner, owner)
        ),
    ]
    for act in acts:
        with refused("rank"):
            act()
    entry = world.access.audit(owner, "main", Wanted(outcome="denied")).items[0]
    assert (entry.who, entry.what) == (admin.user, owner.user)
    looms = teams.make(owner, "Looms").id
    world.joined(owner, "Theo", Role.VIEWER, looms)
    with refused("rank"):
        teams.add(admin, "main", "Theo", Role.OWNER)
    teams.add(admin, "main", "Theo", Role.ADMIN)
    teams.set_role(admin, "main", author.user, Role.ADMIN, theirs)
    with refused("denied"):
        world.access.accounts.remove(admin, author.user, world.account_version(owner, author))


def test_ids_of_another_team_are_missing_here(world: World, owner: Principal) -> None:
    team = world.access.teams.make(owner, "Looms")
    theo = world.joined(owner, "Theo", Role.VIEWER, team.id)
    version = world.version(owner, theo, team.id)
    for act in (
        lambda: world.access.teams.set_role(owner, "main", theo.user, Role.ADMIN, version),
        lambda: world.access.teams.remove(owner, "main", theo.user, version),
        lambda: world.access.teams.add(owner, "main", "nobody", Role.VIEWER),
    ):
        with refused("missing"):
            act()
    with refused("is-member"):
        world.access.teams.add(owner, team.id, "THEO", Role.OWNER)


def test_disabling_ends_sessions_and_tokens_at_once_and_enabling_brings_none_back(
    world: World, owner: Principal
) -> None:
    vera = world.joined(owner, "Vera", Role.VIEWER)
    _, session = world.login("Vera")
    token = world.access.tokens.make(
        vera, "ci", {Action.CHAINS_READ}, world.clock.at + DAY
    ).token.reveal()
    held = world.access.tokens.authenticate(NOBODY, token)
    version = world.access.accounts.disable(owner, vera.user, world.account_version(owner, vera))

    def over() -> None:
        for act in (
            lambda: world.access.sessions.authenticate(NOBODY, session),
            lambda: world.access.tokens.authenticate(NOBODY, token),
            lambda: world.access.require(vera, Action.CHAINS_READ, "main"),
            lambda: world.access.require(held, Action.CHAINS_READ, "main"),
        ):
            with refused("not-signed-in"):
                act()

    over()
    with refused("login-failed"):
        world.login("Vera")
    assert [m.disabled for m in world.access.teams.members(owner, "main").items] == [False, True]
    world.access.accounts.enable(owner, vera.user, version)
    over()
    assert world.login("Vera")[0].roles == {"main": Role.VIEWER}


def test_a_removed_account_leaves_nothing_but_the_audit(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.ADMIN)
    world.access.tokens.make(vera, "ci", {Action.CHAINS_READ}, world.clock.at + DAY)
    world.access.joining.invite(vera, "main", "Friend", Role.VIEWER)
    with refused("login-failed"):
        world.login("Vera", "a wrong password")
    world.access.accounts.remove(owner, vera.user, world.account_version(owner, vera))
    for table in ("users", "members", "sessions", "tokens", "links", "attempts", "settings"):
        assert vera.user not in repr(world.rows(f"select * from {table}")), table
    assert world.access.audit(owner, "main", Wanted(who=vera.user)).items
    again = world.joined(owner, "Vera", Role.VIEWER)
    assert again.user != vera.user


def test_lists_have_pages(world: World, owner: Principal) -> None:
    for number in range(7):
        world.joined(owner, f"user {number}", Role.VIEWER)
    for listed in (
        lambda cursor: world.access.teams.members(owner, "main", cursor, 3),
        lambda cursor: world.access.accounts.listed(owner, cursor, 3),
    ):
        found, cursor, sizes = [], None, []
        while True:
            page = listed(cursor)
            found += [item.name for item in page.items]
            sizes.append(len(page.items))
            if page.cursor is None:
                break
            cursor = page.cursor
        assert found == ["Olga", *(f"user {number}" for number in range(7))]
        assert sizes == [3, 3, 2]
    for limit in (0, -1, 201):
        with refused("limit-unfit"):
            world.access.accounts.listed(owner, None, limit)


def test_a_tenant_sees_nothing_of_another(world: World, owner: Principal) -> None:
    link = world.access.joining.owner_link(Principal.terminal("weaver", "other"))
    nobody = Principal.nobody(NOBODY.origin, "other")
    theirs = world.access.joining.become_owner(
        nobody, link.secret.reveal(), "Olga", "their own good password"
    ).principal
    [member] = world.access.teams.members(theirs, "main").items
    assert member.user == theirs.user != owner.user
    assert [a.id for a in world.access.accounts.listed(theirs).items] == [theirs.user]
    assert {e.who for e in world.access.audit(theirs, "main").items} <= {"", theirs.user}
    with refused("missing"):
        world.access.accounts.disable(theirs, owner.user, world.account_version(owner, owner))
    moved = Principal("other", owner.user, via=owner.via, credential=owner.credential)
    with refused("not-signed-in"):
        world.access.require(moved, Action.CHAINS_READ, "main")


@pytest.mark.parametrize("role", ["viewer", "runner", "author"])
def test_below_admin_nobody_changes_anything(world: World, owner: Principal, role: str) -> None:
    low = world.joined(owner, "Low", Role(role))
    access, version = world.access, world.version(owner, low)
    account = world.account_version(owner, low)
    acts: list[Callable[[], object]] = [
        lambda: access.joining.invite(low, "main", "X", Role.VIEWER),
        lambda: access.joining.invitations(low, "main"),
        lambda: access.joining.withdraw(low, "main", "link_0"),
        lambda: access.teams.make(low, "X"),
        lambda: access.teams.rename(low, "main", "X", 1),
        lambda: access.teams.adopt(low, "main"),
        lambda: access.teams.all(low),
        lambda: access.teams.add(low, "main", "Olga", Role.VIEWER),
        lambda: access.teams.set_role(low, "main", low.user, Role.VIEWER, version),
        lambda: access.teams.remove(low, "main", low.user, version),
        lambda: access.accounts.listed(low),
        lambda: access.accounts.disable(low, low.user, account),
        lambda: access.accounts.enable(low, low.user, account),
        lambda: access.accounts.remove(low, low.user, account),
        lambda: access.audit(low, "main"),
        lambda: access.check_audit(low),
        lambda: access.did(low, Action.SECRETS_WRITE, "main", "x"),
    ]
    before = len(world.told(owner))
    for act in acts:
        with refused("denied"):
            act()
    after = world.told(owner)
    assert len(after) - before == len(acts)
    assert {outcome for _, outcome in after[before:]} == {"denied"}
