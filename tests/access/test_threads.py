"""One store, many threads: as a server uses it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.access.people import NOBODY, PASSWORD, TERMINAL, World

from drawloom.access import Action, Origin, Principal, Role
from drawloom.errors import AccessRefused


def test_threads_that_race_for_one_link_give_one_owner(world: World) -> None:
    secret = world.access.joining.owner_link(TERMINAL).secret.reveal()

    def take(number: int) -> str:
        try:
            world.access.joining.become_owner(NOBODY, secret, f"owner {number}", PASSWORD)
        except AccessRefused as refused:
            return refused.code
        return "owner"

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(take, range(8)))
    assert sorted(ended) == ["link-unusable"] * 7 + ["owner"]


def test_many_guesses_at_once_are_no_way_round_the_throttle(
    world: World, owner: Principal
) -> None:
    def guess(number: int) -> str:
        place = replace(NOBODY, origin=Origin(f"192.0.2.{number}"))
        with pytest.raises(AccessRefused) as raised:
            world.access.logins.login(place, "Olga", f"a wrong guess {number}")
        return raised.value.code

    with ThreadPoolExecutor(16) as pool:
        ended = list(pool.map(guess, range(40)))
    assert sorted(ended) == ["login-failed"] * 5 + ["throttled"] * 35


def test_requests_side_by_side_survive_a_rotation(world: World, owner: Principal) -> None:
    vera = world.joined(owner, "Vera", Role.VIEWER)
    _, session = world.login("Vera")
    world.access.teams.set_role(owner, "main", vera.user, Role.AUTHOR, world.version(owner, vera))
    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(lambda _: world.access.sessions.authenticate(NOBODY, session), range(32))
        )
    assert {d.principal.user for d in done} == {vera.user}
    [new] = [d.session for d in done if d.session is not None]
    assert world.access.sessions.authenticate(NOBODY, new.reveal()).session is None


def test_readers_and_writers_take_turns(world: World, owner: Principal) -> None:
    def act(number: int) -> None:
        world.access.did(owner, Action.CHAINS_WRITE, "main", str(number))
        world.access.audit(owner, "main")
        world.access.teams.members(owner, "main")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(100)))
    assert world.access.check_audit(owner).broken is None
