"""Sessions: hashes only, rotated, idle and absolute ends, logout, the list of one's own."""

from __future__ import annotations

import hashlib

import pytest
from tests.access.people import DAY, HERE, HOUR, NOBODY, PASSWORD, SECOND, World, refused

from drawloom.access import Lifetimes, Origin, Principal, Role

LIVES = Lifetimes()


def known(world: World, session: str) -> Principal:
    return world.access.sessions.authenticate(NOBODY, session).principal


def renewed(world: World, session: str) -> str | None:
    given = world.access.sessions.authenticate(NOBODY, session).session
    return None if given is None else given.reveal()


def test_an_id_has_256_bits_of_which_only_a_hash_is_kept(world: World, owner: Principal) -> None:
    _, session = world.login("Olga")
    assert len(session) == 43
    hashes = {row[0] for row in world.rows("select hash from sessions")}
    assert hashlib.sha256(session.encode()).digest() in hashes
    assert session not in repr(world.rows("select * from sessions"))


def test_each_login_has_a_new_id_and_none_is_taken_from_outside(
    world: World, owner: Principal
) -> None:
    assert world.login("Olga")[1] != world.login("Olga")[1]
    for planted in ("planted", "", "x" * 1000, "\ud800", owner.credential):
        with refused("not-signed-in"):
            known(world, planted)


def test_an_id_rotates_after_a_while_and_the_old_one_is_good_for_some_seconds(
    world: World, owner: Principal
) -> None:
    _, old = world.login("Olga")
    world.clock.at += LIVES.rotate
    assert renewed(world, old) is None
    world.clock.at += 1
    new = renewed(world, old)
    assert new not in (None, old)
    assert renewed(world, old) is None  # a request beside it: let in, with no id of its own
    world.clock.at += LIVES.grace - 1
    assert known(world, old).user == owner.user
    world.clock.at += 1
    with refused("not-signed-in"):
        known(world, old)
    assert known(world, str(new)).user == owner.user


def test_it_rotates_when_a_role_changes(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.VIEWER)
    _, session = world.login("Vera")
    assert renewed(world, session) is None
    version = world.access.teams.set_role(
        owner, "main", vera.user, Role.AUTHOR, world.version(owner, vera)
    )
    new = renewed(world, session)
    assert new is not None
    assert known(world, new).roles == {"main": Role.AUTHOR}
    world.access.teams.remove(owner, "main", vera.user, version)
    last = renewed(world, new)
    assert last is not None
    assert known(world, last).roles == {}


def test_it_ends_when_it_is_idle(world: World, owner: Principal) -> None:
    _, session = world.login("Olga")
    world.clock.at += LIVES.idle + 1
    with refused("not-signed-in"):
        known(world, session)


def test_being_used_keeps_it_alive_until_its_absolute_end(world: World, owner: Principal) -> None:
    _, session = world.login("Olga")
    end = world.clock.at + LIVES.longest
    while world.clock.at + DAY < end:
        world.clock.at += DAY - 60 * SECOND
        session = renewed(world, session) or session
    world.clock.at = end - 1
    session = renewed(world, session) or session
    world.clock.at = end
    with refused("not-signed-in"):
        known(world, session)


def test_its_use_is_not_written_each_time(world: World, owner: Principal) -> None:
    _, session = world.login("Olga")
    made = world.clock.at
    seen = "select max(seen_at) from sessions"
    world.clock.at += LIVES.noted
    known(world, session)
    assert world.rows(seen) == [(made,)]
    world.clock.at += 1
    known(world, session)
    assert world.rows(seen) == [(world.clock.at,)]


def test_logout_ends_the_session_at_once(world: World, owner: Principal) -> None:
    me, session = world.login("Olga")
    world.access.sessions.end(me)
    with refused("not-signed-in"):
        known(world, session)
    with refused("not-signed-in"):
        world.access.sessions.end(me)
    assert known(world, world.login("Olga")[1])


def test_one_lists_ones_sessions_and_ends_one_or_all(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.VIEWER)
    world.clock.at += HOUR
    phone = Principal.nobody(Origin("2001:db8::5", "Phone\n" + "x" * 300))
    other = world.access.logins.login(phone, "Olga", PASSWORD)
    listed = world.access.sessions.listed(owner)
    assert [s.current for s in listed] == [False, True]
    assert (listed[0].address, listed[0].made_at) == ("2001:db8::5", world.clock.at)
    assert listed[0].agent == "Phone?" + "x" * 194 + "…"
    assert (listed[1].address, listed[1].agent) == (HERE.address, HERE.agent)
    with refused("missing"):  # another's
        world.access.sessions.end(vera, listed[0].id)
    world.access.sessions.end(owner, listed[0].id)
    assert other.session is not None
    with refused("not-signed-in"):
        known(world, other.session.reveal())
    world.login("Olga")
    assert world.access.sessions.end_all(owner) == 2
    assert world.rows("select distinct user from sessions") == [(vera.user,)]
    assert world.told(world.login("Olga")[0])[-2] == ("sessions.ended", "done")


def test_a_user_has_fifty_at_most_and_those_that_are_over_are_dropped(
    world: World, owner: Principal
) -> None:
    first = world.login("Olga")[1]
    for _ in range(50):
        world.clock.at += 1
        world.login("Olga")
    assert world.rows("select count(*) from sessions") == [(50,)]
    with refused("not-signed-in"):
        known(world, first)
    world.clock.at += LIVES.idle + 1
    world.login("Olga")
    assert world.rows("select count(*) from sessions") == [(1,)]


def test_another_password_ends_all_other_sessions_and_renews_this_one(
    world: World, owner: Principal
) -> None:
    me, session = world.login("Olga")
    _, other = world.login("Olga")
    new = world.access.logins.change_password(me, PASSWORD, "another good password")
    for old in (session, other):
        with refused("not-signed-in"):
            known(world, old)
    assert known(world, new.reveal()).user == owner.user
    with refused("login-failed"):
        world.login("Olga")
    assert world.login("Olga", "another good password")


def test_a_stolen_session_cannot_guess_the_password(world: World, owner: Principal) -> None:
    change = world.access.logins.change_password
    for _ in range(5):
        with refused("login-failed"):
            change(owner, "a wrong password", "another good password")
    with refused("throttled"):
        change(owner, PASSWORD, "another good password")
    world.clock.at += SECOND
    with refused("password-unfit"):
        change(owner, PASSWORD, "short")
    change(owner, PASSWORD, "another good password")


@pytest.mark.parametrize("via", ["nobody", "terminal"])
def test_what_is_ones_own_needs_a_session(world: World, owner: Principal, via: str) -> None:
    stranger = NOBODY if via == "nobody" else Principal.terminal("root")
    sessions, tokens = world.access.sessions, world.access.tokens
    for act in (
        lambda: sessions.listed(stranger),
        lambda: sessions.end(stranger),
        lambda: sessions.end_all(stranger),
        lambda: tokens.listed(stranger),
        lambda: tokens.revoke(stranger, "x"),
        lambda: world.access.logins.change_password(stranger, PASSWORD, "another password"),
    ):
        with refused("needs-session"):
            act()


def test_a_session_is_good_in_its_tenant_only(world: World, owner: Principal) -> None:
    _, session = world.login("Olga")
    with refused("not-signed-in"):
        world.access.sessions.authenticate(Principal.nobody(HERE, "other"), session)
