"""API tokens: told from other text, kept as a hash, limited by scopes, owner and time."""

from __future__ import annotations

import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.people import DAY, NOBODY, Counter, World, refused

from drawloom.access import Action, Principal, Role
from drawloom.access.credentials import is_token, new_token
from drawloom.access.tokens import LONGEST

READ = {Action.CHAINS_READ, Action.RUNS_READ}


def made(world: World, by: Principal, scopes: set[Action] = READ, days: int = 30) -> str:
    return world.access.tokens.make(by, "ci", scopes, world.clock.at + days * DAY).token.reveal()


def known(world: World, token: str) -> Principal:
    return world.access.tokens.authenticate(NOBODY, token)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 52), st.sampled_from(string.printable))
def test_a_scanner_can_tell_a_token(bits: bytes, place: int, other: str) -> None:
    token = new_token(lambda _: bits).reveal()
    assert re.fullmatch(r"drl_[0-9A-Za-z]{49}", token)
    assert is_token(token)
    changed = token[:place] + other + token[place + 1 :]
    assert is_token(changed) is (changed == token)
    assert not is_token(token + other)
    assert not is_token(token[:-1])


def test_each_bit_of_the_randomness_is_in_it() -> None:
    def of(bits: int) -> str:
        return new_token(lambda count: bits.to_bytes(count)).reveal()

    assert len({of(1 << bit) for bit in range(256)} | {of(0), of((1 << 256) - 1)}) == 258


def test_only_its_sha256_is_kept_and_it_is_shown_once(world: World, owner: Principal) -> None:
    new = world.access.tokens.make(owner, "ci", READ, world.clock.at + DAY)
    token = new.token.reveal()
    assert world.rows("select hash from tokens") == [(hashlib.sha256(token.encode()).digest(),)]
    assert token not in repr(new)
    [about] = world.access.tokens.listed(owner)
    assert (about.name, about.scopes) == ("ci", ("chains.read", "runs.read"))
    assert (about.id, about.expires_at) == (new.id, world.clock.at + DAY)


def test_it_may_what_its_scopes_name_and_no_more(world: World, owner: Principal) -> None:
    principal = known(world, made(world, owner))
    world.access.require(principal, Action.CHAINS_READ, "main")
    for action in set(Action) - READ:
        with refused("denied"):
            world.access.require(principal, action, "main")


def test_it_never_has_more_than_its_owner_has_at_that_moment(
    world: World, owner: Principal
) -> None:
    admin = world.joined(owner, "Ada", Role.ADMIN)
    token = made(world, admin, {Action.CHAINS_READ, Action.SECRETS_WRITE})
    held = known(world, token)
    world.access.require(held, Action.SECRETS_WRITE, "main")
    version = world.access.teams.set_role(
        owner, "main", admin.user, Role.VIEWER, world.version(owner, admin)
    )
    for principal in (held, known(world, token)):  # also for a call that has begun
        world.access.require(principal, Action.CHAINS_READ, "main")
        with refused("denied"):
            world.access.require(principal, Action.SECRETS_WRITE, "main")
    world.access.teams.remove(owner, "main", admin.user, version)
    with refused("denied"):
        world.access.require(held, Action.CHAINS_READ, "main")


def test_nobody_makes_a_token_with_what_they_may_not(world: World, owner: Principal) -> None:
    viewer = world.joined(owner, "Vera", Role.VIEWER)
    with refused("scope-denied"):
        made(world, viewer, {Action.CHAINS_READ, Action.RUNS_START})
    assert world.told(owner)[-1] == ("tokens.own", "denied")
    with refused("scopes-unfit"):
        made(world, viewer, set())
    version = world.version(owner, viewer)
    world.access.teams.remove(owner, "main", viewer.user, version)
    with refused("scope-denied"):
        made(world, viewer, {Action.CHAINS_READ})


def test_a_token_makes_no_token_and_touches_no_session(world: World, owner: Principal) -> None:
    with refused("scope-denied"):
        made(world, owner, {Action.TOKENS_OWN})
    token = known(world, made(world, owner, set(Action) - {Action.TOKENS_OWN}))
    for act in (
        lambda: made(world, token),
        lambda: world.access.tokens.listed(token),
        lambda: world.access.sessions.end_all(token),
        lambda: world.access.logins.change_password(token, "x", "another password"),
    ):
        with refused("needs-session"):
            act()


@pytest.mark.parametrize("life", [-1, 0, LONGEST + 1])
def test_it_must_end_within_a_year(world: World, owner: Principal, life: int) -> None:
    with refused("expiry-unfit"):
        world.access.tokens.make(owner, "ci", READ, world.clock.at + life)


def test_it_is_over_when_it_expires_or_is_revoked(world: World, owner: Principal) -> None:
    token, other = made(world, owner, days=1), made(world, owner, days=2)
    world.clock.at += DAY - 1
    assert known(world, token)
    world.clock.at += 1
    with refused("not-signed-in"):
        known(world, token)
    me, _ = world.login("Olga")
    held = known(world, other)
    world.access.tokens.revoke(me, held.credential)
    for act in (
        lambda: known(world, other),
        lambda: world.access.require(held, Action.CHAINS_READ, "main"),
    ):
        with refused("not-signed-in"):
            act()
    with refused("missing"):
        world.access.tokens.revoke(me, held.credential)


def test_another_may_not_revoke_it(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.OWNER)
    token = made(world, owner)
    with refused("missing"):
        world.access.tokens.revoke(vera, known(world, token).credential)
    assert known(world, token)


def test_its_last_use_is_noted_but_not_each_time(world: World, owner: Principal) -> None:
    token = made(world, owner)
    used = "select used_at from tokens"
    first = world.clock.at
    known(world, token)
    world.clock.at += 600_000_000
    known(world, token)
    assert world.rows(used) == [(first,)]
    world.clock.at += 1
    known(world, token)
    assert world.rows(used) == [(world.clock.at,)]


def test_a_user_has_a_hundred_at_most_and_a_hundred_that_ended(
    world: World, owner: Principal
) -> None:
    tokens = world.access.tokens
    for _ in range(102):
        world.clock.at += 1
        made(world, owner)
        tokens.revoke(owner, tokens.listed(owner)[0].id)
    for _ in range(100):
        made(world, owner)
    with refused("too-many"):
        made(world, owner)
    assert len(tokens.listed(owner)) == 200


def test_a_made_up_token_is_refused(world: World, owner: Principal) -> None:
    token = made(world, owner)
    for text in (token[:-1], token + "0", new_token(Counter("x")).reveal(), "", "\ud800" * 53):
        with refused("not-signed-in"):
            known(world, text)
    with refused("not-signed-in"):
        world.access.tokens.authenticate(Principal.nobody(NOBODY.origin, "other"), token)
