"""The first owner by a link of the terminal, all others by invitation."""

from __future__ import annotations

import pytest
from tests.access.people import DAY, HOUR, NOBODY, PASSWORD, TERMINAL, World, refused

from drawloom.access import Principal, Role


def test_the_first_owner_is_made_by_a_link_that_works_once(world: World) -> None:
    joining = world.access.joining
    assert not joining.has_owner(NOBODY)
    link = joining.owner_link(TERMINAL)
    done = joining.become_owner(NOBODY, link.secret.reveal(), "Olga", PASSWORD)
    assert done.principal.roles == {"main": Role.OWNER}
    assert joining.has_owner(NOBODY)
    with refused("link-unusable"):
        joining.become_owner(NOBODY, link.secret.reveal(), "Thief", PASSWORD)
    with refused("has-owner"):
        joining.owner_link(TERMINAL)


def test_only_a_terminal_makes_that_link(world: World) -> None:
    for stranger in (NOBODY, Principal(), Principal(name="weaver", roles={"main": Role.OWNER})):
        with refused("terminal-only"):
            world.access.joining.owner_link(stranger)


def test_the_link_is_over_after_an_hour_and_when_there_is_a_newer_one(world: World) -> None:
    joining = world.access.joining
    first = joining.owner_link(TERMINAL)
    second = joining.owner_link(TERMINAL)
    with refused("link-unusable"):
        joining.become_owner(NOBODY, first.secret.reveal(), "Olga", PASSWORD)
    world.clock.at += HOUR
    with refused("link-unusable"):
        joining.become_owner(NOBODY, second.secret.reveal(), "Olga", PASSWORD)
    assert not joining.has_owner(NOBODY)


def test_a_bad_password_does_not_use_the_link_up(world: World) -> None:
    secret = world.access.joining.owner_link(TERMINAL).secret.reveal()
    with refused("password-unfit"):
        world.access.joining.become_owner(NOBODY, secret, "Olga", "short")
    world.access.joining.become_owner(NOBODY, secret, "Olga", PASSWORD)


def test_an_owners_link_is_no_invitation_and_the_reverse(world: World) -> None:
    joining = world.access.joining
    link = joining.owner_link(TERMINAL)
    with refused("link-unusable"):
        joining.join(NOBODY, link.secret.reveal(), PASSWORD)
    done = joining.become_owner(NOBODY, link.secret.reveal(), "Olga", PASSWORD)
    invited = joining.invite(done.principal, "main", "Vera", Role.VIEWER)
    with refused("link-unusable"):
        joining.become_owner(NOBODY, invited.secret.reveal(), "Vera", PASSWORD)


def test_a_link_is_good_in_its_tenant_only(world: World) -> None:
    secret = world.access.joining.owner_link(TERMINAL).secret.reveal()
    other = Principal.nobody(NOBODY.origin, "other")
    with refused("link-unusable"):
        world.access.joining.become_owner(other, secret, "Thief", PASSWORD)


def test_an_invitation_makes_an_account_with_its_name_and_role_once(
    world: World, owner: Principal
) -> None:
    joining = world.access.joining
    link = joining.invite(owner, "main", " Ｖera ", Role.AUTHOR)
    assert [(i.name, i.role, i.made_by) for i in joining.invitations(owner, "main")] == [
        ("Vera", Role.AUTHOR, owner.user)
    ]
    done = joining.join(NOBODY, link.secret.reveal(), PASSWORD)
    assert (done.principal.name, done.principal.roles) == ("Vera", {"main": Role.AUTHOR})
    assert joining.invitations(owner, "main") == []
    with refused("link-unusable"):
        joining.join(NOBODY, link.secret.reveal(), PASSWORD)


def test_an_invitation_ends_after_a_week_or_is_withdrawn(world: World, owner: Principal) -> None:
    joining = world.access.joining
    late = joining.invite(owner, "main", "Late", Role.VIEWER)
    world.clock.at += 7 * DAY
    owner, _ = world.login("Olga")
    with refused("link-unusable"):
        joining.join(NOBODY, late.secret.reveal(), PASSWORD)
    link = joining.invite(owner, "main", "Vera", Role.VIEWER)
    joining.withdraw(owner, "main", link.id)
    with refused("link-unusable"):
        joining.join(NOBODY, link.secret.reveal(), PASSWORD)
    with refused("missing"):
        joining.withdraw(owner, "main", link.id)


def test_an_invitation_of_another_team_is_out_of_reach(world: World, owner: Principal) -> None:
    looms = world.access.teams.make(owner, "looms")
    link = world.access.joining.invite(owner, looms.id, "Vera", Role.VIEWER)
    with refused("missing"):
        world.access.joining.withdraw(owner, "main", link.id)
    admin = world.joined(owner, "Ada", Role.ADMIN)
    for act in (
        lambda: world.access.joining.withdraw(admin, looms.id, link.id),
        lambda: world.access.joining.invitations(admin, looms.id),
        lambda: world.access.joining.invite(admin, looms.id, "X", Role.VIEWER),
    ):
        with refused("denied"):
            act()


def test_nobody_invites_to_a_role_above_their_own(world: World, owner: Principal) -> None:
    admin = world.joined(owner, "Ada", Role.ADMIN)
    with refused("rank"):
        world.access.joining.invite(admin, "main", "Friend", Role.OWNER)
    assert world.told(owner)[-1] == ("role.owner", "denied")
    world.access.joining.invite(admin, "main", "Friend", Role.ADMIN)


def test_an_invitation_is_worth_what_its_inviter_may_when_it_is_taken(
    world: World, owner: Principal
) -> None:
    joining = world.access.joining
    admin = world.joined(owner, "Ada", Role.ADMIN)
    link = joining.invite(admin, "main", "Friend", Role.ADMIN)
    version = world.version(owner, admin)
    world.access.teams.set_role(owner, "main", admin.user, Role.AUTHOR, version)
    with refused("link-unusable"):
        joining.join(NOBODY, link.secret.reveal(), PASSWORD)
    disabled = world.joined(owner, "Dora", Role.ADMIN)
    link = joining.invite(disabled, "main", "Friend", Role.VIEWER)
    world.access.accounts.disable(owner, disabled.user, world.account_version(owner, disabled))
    with refused("link-unusable"):
        joining.join(NOBODY, link.secret.reveal(), PASSWORD)


def test_a_name_is_taken_whatever_its_case_and_width(world: World, owner: Principal) -> None:
    link = world.access.joining.invite(owner, "main", "Vera", Role.VIEWER)
    again = world.access.joining.invite(owner, "main", "VERA", Role.VIEWER)
    world.access.joining.join(NOBODY, link.secret.reveal(), PASSWORD)
    with refused("name-taken"):
        world.access.joining.join(NOBODY, again.secret.reveal(), PASSWORD)
    with refused("name-taken"):
        world.access.joining.invite(owner, "main", "ｖｅｒａ", Role.VIEWER)


@pytest.mark.parametrize("name", ["", "  ", "a" * 129, "a\nb", "a\u200bb", "\ud800", "a\u202eb"])
def test_an_unfit_name_is_refused(world: World, owner: Principal, name: str) -> None:
    with refused("name-unfit"):
        world.access.joining.invite(owner, "main", name, Role.VIEWER)
    with refused("name-unfit"):
        world.access.teams.make(owner, name)
