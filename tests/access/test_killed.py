"""Killed at any write, and used by two processes at once: the old state or the new one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.access.people import DAY, NOBODY, PASSWORD, TERMINAL, World, refused

from drawloom.access import Action, Principal, Role

pytestmark = pytest.mark.slow

# Does one thing as somebody, and kills itself at the given statement that writes.
CHILD = """
import os, signal, sys
from pathlib import Path
import apsw
from drawloom.access import Access, Cost, Origin, Principal, Role
from drawloom.access.principal import Via

folder, what, left, secret, user, credential, other, version = sys.argv[1:]
left = int(left)

def traced(connection):
    def tell(cursor, sql, bindings):
        global left
        if not sql.lstrip().lower().startswith(("select", "pragma")):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return True
    connection.exec_trace = tell

apsw.connection_hooks.append(traced)
access = Access(Path(folder), lambda: 1_800_000_000_000_000, os.urandom, Cost(8, 1))
nobody = Principal.nobody(Origin("192.0.2.7"))
me = Principal(user=user, via=Via.SESSION, credential=credential)
password = "a loom of many threads"
if what == "owner":
    access.joining.become_owner(nobody, secret, "Olga", password)
elif what == "join":
    access.joining.join(nobody, secret, password)
elif what == "role":
    access.teams.set_role(me, "main", other, Role.ADMIN, int(version))
elif what == "disable":
    access.accounts.disable(me, other, int(version))
elif what == "password":
    access.logins.change_password(me, password, "another good password")
"""


def child(folder: Path, what: str, left: int, *given: object) -> list[str]:
    filled = [*map(str, given), *([""] * 5)][:5]
    return [sys.executable, "-c", CHILD, str(folder), what, str(left), *filled]


def killed(folder: Path, what: str, left: int, *given: object) -> bool:
    done = subprocess.run(
        child(folder, what, left, *given), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def roles(world: World) -> set[tuple[object, ...]]:
    return set(world.rows("select user, role from members"))


def test_a_kill_while_the_first_owner_is_made(tmp_path: Path) -> None:
    world = World(tmp_path / "begun")
    link = world.access.joining.owner_link(TERMINAL)
    world.access.close()
    at = 0
    while True:
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "begun", folder)
        died = killed(folder, "owner", at, link.secret.reveal())
        after = World(folder, seed="after")
        assert after.access._audit.verify("default").broken is None
        there = after.access.joining.has_owner(NOBODY)
        if there:
            with refused("link-unusable"):
                after.access.joining.become_owner(NOBODY, link.secret.reveal(), "X", PASSWORD)
            assert after.login("Olga")[0].roles == {"main": Role.OWNER}
        else:  # nothing of it: the link is still good
            assert after.rows("select * from users") == after.rows("select * from teams") == []
            after.access.joining.become_owner(NOBODY, link.secret.reveal(), "Olga", PASSWORD)
        after.access.close()
        if not died:
            assert there
            break
        at += 1
    assert at > 8


@pytest.mark.parametrize("what", ["join", "role", "disable", "password"])
def test_a_kill_at_any_write_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, what: str
) -> None:
    world = World(tmp_path / "begun")
    owner = world.owner()
    vera = world.joined(owner, "Vera", Role.VIEWER)
    world.access.tokens.make(vera, "ci", {Action.CHAINS_READ}, world.clock.at + DAY)
    link = world.access.joining.invite(owner, "main", "New", Role.AUTHOR)
    account = what == "disable"
    version = (world.account_version if account else world.version)(owner, vera)
    world.access.close()
    given = (link.secret.reveal(), owner.user, owner.credential, vera.user, version)
    seen, at = set(), 0
    while True:
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "begun", folder)
        died = killed(folder, what, at, *given)
        after = World(folder, seed="after")
        assert after.access._audit.verify("default").broken is None
        told = [did for (did,) in after.rows("select did from audit order by seq")]
        seen.add(state(after, what, told, vera))
        after.access.close()
        shutil.rmtree(folder)
        if not died:
            break
        at += 1
    assert at > 4
    assert seen == {False, True}


def state(world: World, what: str, told: list[object], vera: Principal) -> bool:
    """Whether it was done: all of it with its entry, or nothing."""
    if what == "join":
        new = world.rows("select id from users where login = 'new'")
        links = world.rows("select * from links")
        assert bool(new) is (told.count("user.joined") == 3) is (not links)
        assert {(u, "author") for (u,) in new} <= roles(world)
        return bool(new)
    if what == "role":
        done = (vera.user, "admin") in roles(world)
        assert done is ("member.set" in told)
        return done
    if what == "disable":
        done = "user.disabled" in told
        sessions = world.rows(f"select * from sessions where user = '{vera.user}'")
        assert done is (not sessions)
        assert world.rows("select revoked_at is not null from tokens") == [(int(done),)]
        assert bool(world.rows("select * from users where disabled_at is not null")) is done
        return done
    done = "password.changed" in told
    assert world.login("Olga", "another good password" if done else PASSWORD)
    return done


def both(*commands: list[str]) -> list[tuple[int, str]]:
    """Run processes at once: exit code and error of each."""
    running = [
        subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for c in commands
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    return [(p.returncode, error) for p, error in zip(running, errors, strict=True)]


def test_of_processes_that_use_one_owner_link_one_makes_the_owner(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    secret = world.access.joining.owner_link(TERMINAL).secret.reveal()
    ended = both(*[child(world.folder, "owner", 10_000, secret)] * 4)
    assert sorted(code for code, _ in ended) == [0, 1, 1, 1]
    assert all("this link is used" in e or "an owner already" in e for c, e in ended if c)
    assert len(world.rows("select * from members where role = 'owner'")) == 1
    assert world.access._audit.verify("default").broken is None


def test_of_processes_that_change_one_role_one_does(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    owner = world.owner()
    vera = world.joined(owner, "Vera", Role.VIEWER)
    version = world.version(owner, vera)
    given = ("", owner.user, owner.credential, vera.user, version)
    ended = both(*[child(world.folder, "role", 10_000, *given)] * 3)
    assert sorted(code for code, _ in ended) == [0, 1, 1]
    assert all("was changed meanwhile" in error for code, error in ended if code)
    assert world.access._audit.verify("default").broken is None


# Takes turns with others on one file: some changes, and each read back.
BUSY = """
import os, sys
from pathlib import Path
from drawloom.access import Access, Action, Cost, Origin, Principal
from drawloom.access.principal import Via

folder, user, credential, name = sys.argv[1:]
access = Access(Path(folder), lambda: 1_800_000_000_000_000, os.urandom, Cost(8, 1))
me = Principal(user=user, via=Via.SESSION, credential=credential)
for number in range(50):
    access.did(me, Action.CHAINS_WRITE, "main", f"{name} {number}")
    made = access.tokens.make(me, "t", {Action.RUNS_READ}, 1_800_000_000_000_001)
    access.tokens.authenticate(Principal.nobody(Origin("::1")), made.token.reveal())
    access.tokens.revoke(me, made.id)
"""


def test_two_processes_on_one_file_lose_no_entry(tmp_path: Path) -> None:
    world = World(tmp_path / "state")
    owner = world.owner()
    before = world.access._audit.head("default").seq
    command = [sys.executable, "-c", BUSY, str(world.folder), owner.user, owner.credential]
    ended = both([*command, "one"], [*command, "two"])
    assert [code for code, _ in ended] == [0, 0], ended
    checked = world.access.check_audit(owner)
    assert checked.broken is None
    assert checked.head.seq == before + 2 * 50 * 3
    whats = {row[0] for row in world.rows("select what from audit where did = 'chains.write'")}
    assert whats == {f"{name} {number}" for name in ("one", "two") for number in range(50)}
