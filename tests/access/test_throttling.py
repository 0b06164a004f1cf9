"""Failed logins: the pure machine, and what the store keeps of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.people import DAY, HOUR, NOBODY, PASSWORD, World, refused

from drawloom.access import Origin, Principal
from drawloom.access.throttling import (
    PER_ACCOUNT,
    PER_ADDRESS,
    SECOND,
    Attempts,
    Rule,
    bucket,
    failed,
    told,
    undone,
    wait,
)
from drawloom.errors import AccessRefused

RULE = Rule(free=3, first=SECOND, most=8 * SECOND, forget=HOUR)


def test_the_first_are_free_then_each_doubles_the_wait_up_to_a_limit() -> None:
    state, now, waits = Attempts(), 0, []
    for _ in range(8):
        state = failed(RULE, state, now)
        waits.append(wait(RULE, state, now) // SECOND)
        now += wait(RULE, state, now)
        assert wait(RULE, state, now) == 0
    assert waits == [0, 0, 1, 2, 4, 8, 8, 8]


def test_it_forgets_after_a_while_and_not_before() -> None:
    state = Attempts(failures=7, until=0, last=0)
    assert failed(RULE, state, HOUR).failures == 8
    assert failed(RULE, state, HOUR + 1).failures == 1


def test_a_good_attempt_takes_one_back() -> None:
    state = failed(RULE, Attempts(failures=5, last=1), 2)
    assert undone(state, 2) == Attempts(failures=5, until=0, last=2)
    assert undone(Attempts(), 3).failures == 0


@given(st.lists(st.integers(-HOUR, 2 * HOUR), max_size=60))
def test_whatever_the_clock_does_no_wait_is_over_the_limit(moves: list[int]) -> None:
    state, now = Attempts(), DAY
    for move in moves:
        now += move
        assert 0 <= wait(RULE, state, now) <= RULE.most
        state = told(state) if wait(RULE, state, now) else failed(RULE, state, now)


def test_no_stranger_can_have_more_than_65536_keys() -> None:
    keys = {bucket(b"k", "name", str(number)) for number in range(200_000)}
    assert 60_000 < len(keys) <= 65_536
    assert bucket(b"k", "name", "\ud800").startswith("name:")
    assert bucket(b"k", "name", "olga") != bucket(b"other", "name", "olga")


def wrong(world: World, name: str = "Olga", principal: Principal = NOBODY) -> str:
    """One login with a wrong password: how it is refused."""
    with pytest.raises(AccessRefused) as raised:
        world.access.logins.login(principal, name, "a wrong password")
    return raised.value.code


def at(address: str) -> Principal:
    return Principal.nobody(Origin(address))


@pytest.mark.parametrize("name", ["Olga", "Nobody"])
def test_an_account_is_throttled_from_everywhere_known_or_not(
    world: World, owner: Principal, name: str
) -> None:
    codes = [wrong(world, name, at(f"192.0.2.{number}")) for number in range(7)]
    assert codes == ["login-failed"] * PER_ACCOUNT.free + ["throttled"] * 2
    with refused("throttled") as raised:
        world.access.logins.login(at("198.51.100.1"), name, PASSWORD)
    assert raised.value.failure.retry_after == 1.0
    assert raised.value.failure.kind == "throttled"
    world.clock.at += SECOND
    assert wrong(world, name, at("192.0.2.99")) == "login-failed"
    assert wrong(world, name) == "throttled"


def test_a_good_login_begins_anew(world: World, owner: Principal) -> None:
    for _ in range(4):
        assert wrong(world) == "login-failed"
    world.login("Olga")
    for _ in range(5):
        assert wrong(world) == "login-failed"
    assert wrong(world) == "throttled"


def test_an_address_is_throttled_whatever_the_name(world: World, owner: Principal) -> None:
    for number in range(PER_ADDRESS.free):
        assert wrong(world, f"nobody {number}") == "login-failed"
    assert wrong(world, "another") == "throttled"
    assert wrong(world, "another", at("198.51.100.1")) == "login-failed"


def test_own_logins_do_not_wash_an_address_clean(world: World, owner: Principal) -> None:
    for number in range(PER_ADDRESS.free - 1):
        wrong(world, f"nobody {number}")
    world.login("Olga")
    assert wrong(world, "nobody 97") == "login-failed"
    assert wrong(world, "nobody 98") == "throttled"


def test_an_ipv6_network_is_one_address_and_a_mapped_address_is_its_ipv4() -> None:
    assert Origin("2001:db8::1").network == Origin("2001:db8::ffff:1:2").network
    assert Origin("2001:db8::1").network != Origin("2001:db8:0:1::1").network
    assert Origin("::ffff:192.0.2.7").network == Origin("192.0.2.7").network == "192.0.2.7"
    assert Origin("fe80::1%eth0").network == "fe80::/64"
    assert Origin("a socket").network == "a socket"


def test_it_outlives_a_restart(world: World, owner: Principal) -> None:
    for _ in range(5):
        wrong(world)
    world.access.close()
    world.access = world.opened("again")
    assert wrong(world) == "throttled"


def test_of_a_wait_one_entry_is_written_and_old_states_are_dropped(
    world: World, owner: Principal
) -> None:
    for _ in range(12):
        wrong(world)
    told_of = [t for t in world.told(owner) if t[0].startswith("login")]
    assert told_of == [("login", "failed")] * 5 + [("login.throttled", "denied")]
    entry = world.access.audit(owner, "main").items[0]
    assert entry.details == {"silent_until": world.clock.at + SECOND}
    world.clock.at += 2 * DAY
    wrong(world, "Nobody", at("198.51.100.1"))
    assert len(world.rows("select * from attempts")) == 2


def test_unknown_sessions_and_tokens_cannot_fill_the_audit(world: World, owner: Principal) -> None:
    before = len(world.rows("select * from audit"))
    for _ in range(100):
        with refused("not-signed-in"):
            world.access.sessions.authenticate(NOBODY, "a made up session")
        with refused("not-signed-in"):
            world.access.tokens.authenticate(NOBODY, "drl_made_up")
    assert len(world.rows("select * from audit")) - before == 31
    entry = world.access.audit(owner, "main").items[0]
    assert entry.details["silent_until"] == world.clock.at + 60 * SECOND
    # Another address is heard, and who is known is let in all the same.
    with refused("not-signed-in"):
        world.access.sessions.authenticate(replace(NOBODY, origin=Origin("::1")), "made up")
    assert len(world.rows("select * from audit")) - before == 32
    _, session = world.login("Olga")
    world.access.sessions.authenticate(NOBODY, session)
