"""Passwords: argon2id, what is refused, the same work for an unknown name, never on a loop."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from tests.access.people import CHEAP, NOBODY, PASSWORD, Counter, World, refused

from drawloom.access import Aside, Cost, Principal
from drawloom.access.passwords import LONGEST, Passwords, check
from drawloom.errors import StateUnusable


def made(cost: Cost = CHEAP) -> Passwords:
    return Passwords(cost, Counter("salt"))


def test_it_is_argon2id_at_the_cost_of_owasp() -> None:
    kept = Passwords(Cost(), Counter()).hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in kept


def test_equal_passwords_have_unequal_hashes() -> None:
    passwords = made()
    one, other = passwords.hash(PASSWORD), passwords.hash(PASSWORD)
    assert one != other
    assert passwords.verify(one, PASSWORD)
    assert not passwords.verify(one, PASSWORD + "x")
    assert not passwords.verify("nonsense", PASSWORD)
    assert not passwords.verify(None, PASSWORD)


def test_it_does_not_matter_how_a_letter_was_typed() -> None:
    passwords = made()
    assert passwords.verify(passwords.hash("pa\u0308sse sind grün"), "p\u00e4sse sind gru\u0308n")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("eleven char", "at least 12"),
        ("ab" * 20, "repeats"),
        ("a" * 300, "at most 256"),
        ("\ud800bcdefghijklmn", "text"),
        ("Olga the Weaver", "the name"),
        ("ＯLGA THE weaver", "the name"),
        ("olga the weaver12", "the name"),
        ("olga the weaverolga the weaver", "the name"),
    ],
)
def test_an_unfit_password_is_refused_unshown(password: str, why: str) -> None:
    with refused("password-unfit") as raised:
        check("Olga the Weaver", password)
    assert why in str(raised.value)
    assert password not in repr(raised.value)
    assert raised.value.failure.kind == "invalid"


def test_a_short_name_may_stand_in_a_password() -> None:
    check("an", "an unusual banana")


class Watched(Passwords):
    """Notes the parameters of each hash that argon2 was asked about."""

    def __init__(self, cost: Cost, entropy: Counter) -> None:
        super().__init__(cost, entropy)
        self.asked: list[str] = []

    def _hasher(self):  # type: ignore[no-untyped-def]
        real, asked = super()._hasher(), self.asked

        class Hasher:
            hash = staticmethod(real.hash)

            @staticmethod
            def verify(kept: str, given: str) -> bool:
                asked.append(kept.rpartition("$")[0].rpartition("$")[0])
                return bool(real.verify(kept, given))

        return Hasher()


def test_an_unknown_name_costs_what_a_wrong_password_does(world: World, owner: Principal) -> None:
    watched = Watched(CHEAP, Counter("watched"))
    world.access.logins._hashes = watched
    for name, password in (
        ("Olga", "a wrong password"),
        ("Nobody", "a wrong password"),
        ("x" * 5000, "a wrong password"),
        ("Nobody", "x" * (LONGEST + 1)),
        ("Olga", "x" * (LONGEST + 1)),
    ):
        watched.asked.clear()
        with refused("login-failed") as raised:
            world.access.logins.login(NOBODY, name, password)
        assert str(raised.value) == "the name or the password is wrong"
        assert watched.asked == ["$argon2id$v=19$m=8,t=1,p=1"], name[:9]


def test_a_password_is_hashed_anew_when_the_cost_has_grown_and_never_weakened(
    world: World, owner: Principal
) -> None:
    def kept() -> str:
        return str(world.rows("select password from users")[0][0])

    before = kept()
    world.login("Olga")
    assert kept() == before
    world.cost = Cost(kibibytes=16, passes=2)
    world.access.close()
    world.access = world.opened("grown")
    with refused("login-failed"):
        world.login("Olga", "a wrong password")
    assert kept() == before
    world.login("Olga")
    assert "$m=16,t=2,p=1$" in kept()
    grown = kept()
    world.login("Olga")
    assert kept() == grown
    world.cost = CHEAP
    world.access.close()
    world.access = world.opened("shrunk")
    world.login("Olga")
    assert kept() == grown


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("argon2", "argon2.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)
    for act in (lambda: made().hash(PASSWORD), lambda: made().verify(None, PASSWORD)):
        with pytest.raises(StateUnusable, match=r"pip install 'drawloom\[server\]'"):
            act()


async def test_argon2_refuses_to_run_on_an_event_loop() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        made().hash(PASSWORD)
    with pytest.raises(RuntimeError, match="event loop"):
        made().verify(None, PASSWORD)


async def test_aside_runs_it_in_a_thread(world: World) -> None:
    owner = await asyncio.to_thread(world.owner)
    aside = Aside()
    done = await aside.run(world.access.logins.login, NOBODY, "Olga", PASSWORD)
    assert done.principal.user == owner.user
    with refused("login-failed"):
        await aside.run(world.access.logins.login, NOBODY, "Olga", "a wrong password")


async def test_aside_runs_a_few_at_once_lets_a_few_wait_and_refuses_more() -> None:
    aside = Aside(at_once=2, waiting=3)
    go, inside, most = threading.Event(), [], []

    def act(number: int) -> int:
        inside.append(number)
        most.append(len(inside))
        assert go.wait(60)
        inside.remove(number)
        return number

    running = [asyncio.create_task(aside.run(act, number)) for number in range(5)]
    await asyncio.sleep(0)
    with refused("busy") as raised:
        await aside.run(act, 5)
    assert raised.value.failure.kind == "throttled"
    assert raised.value.failure.retry_after == 1.0
    go.set()
    assert await asyncio.gather(*running) == [0, 1, 2, 3, 4]
    assert max(most) <= 2
    assert await aside.run(act, 6) == 6


async def test_who_is_cancelled_keeps_the_turn_until_the_thread_is_done() -> None:
    aside = Aside(at_once=1, waiting=0)
    go, begun = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        assert go.wait(60)
        raise ValueError("nobody hears this")

    task = asyncio.create_task(aside.run(act))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    with refused("busy"):
        await aside.run(act)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ValueError, match="nobody"):
        await aside.run(act)
