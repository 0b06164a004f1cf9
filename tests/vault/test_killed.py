"""What is killed, or fails, at any write loses nothing: old state, or new, and it goes on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drawloom.vault import Principal, RootKeyPlace, Vault
from drawloom.vault.connections import KeptConnection
from drawloom.vault.root_key import name_of

ME = Principal(who="weaver")
CONNECTION = KeptConnection("c", "http", {"base_url": "https://a.example"}, ("https://a.example",))
COUNT = 130  # secrets: more than one transaction of `rewrap`

# Does one thing, and kills itself, or has no space left, at the given statement or call of the operating system.
CHILD = """
import errno, os, signal, sys
from pathlib import Path
import apsw
from drawloom.vault import Principal, RootKeyPlace, Vault

folder, what, left, how = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]

def count():
    global left
    left -= 1
    if left < 0 and how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if left == -1:
        print("met", flush=True)
        raise OSError(errno.ENOSPC, "no space left")

WRITES = {"os.link", "os.remove", "os.rename", "os.mkdir", "os.chmod"}
sys.addaudithook(lambda event, args: count() if event in WRITES or (
    event == "open" and isinstance(args[0], (str, os.PathLike)) and "root.key" in str(args[0])
) else None)

def traced(connection):
    def tell(cursor, sql, bindings):
        if not sql.lstrip().lower().startswith(("select", "pragma")):
            count()
        return True
    connection.exec_trace = tell

apsw.connection_hooks.append(traced)
vault = Vault(folder, RootKeyPlace(folder / "root.key"))
me = Principal(who="weaver")
if what == "set":
    vault.secrets.set(me, "new", "new value")
else:
    getattr(vault.keys, what)(me)
"""


def killed(folder: Path, what: str, at: int, how: str = "kill") -> bool:
    """Whether the child was killed before it was done, or met a failure (which it may survive)."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, folder, what, str(at), how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL if how == "kill" else 1), done.stderr
    assert done.returncode != 1 or "no space left" in done.stderr.lower(), done.stderr
    return done.returncode == -signal.SIGKILL or done.stdout == "met\n"


def opened(folder: Path) -> Vault:
    return Vault(folder, RootKeyPlace(folder / "root.key"))


def check(folder: Path, what: str) -> None:
    """Everything is there, and what was interrupted is done to its end."""
    vault = opened(folder)
    names = [f"s{number}" for number in range(COUNT)]
    assert [vault.secrets.get(ME, name) for name in names] == [f"v{n}" for n in range(COUNT)]
    assert sum(bool(row[3]) for row in vault.store.rows("keys")) == 1
    before = vault.keys.opened().primary
    if what == "rewrap":
        vault.keys.rewrap(ME)
        assert {about.key for about in vault.secrets.list(ME)} == {before}
        assert len(vault.store.rows("keys")) == 1
    vault.secrets.set(ME, "more", "more")
    assert vault.secrets.get(ME, "more") == "more"
    vault.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with many secrets, and a new key that has sealed none of them."""
    folder = tmp_path_factory.mktemp("filled")
    vault = opened(folder)
    with vault.store.changing():
        for number in range(COUNT):
            vault.secrets.set(ME, f"s{number}", f"v{number}")
    vault.keys.rotate(ME)
    vault.close()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("what", ["rotate", "rewrap"])
def test_a_kill_at_any_write_loses_no_secret(filled: Path, tmp_path: Path, what: str) -> None:
    at, deaths = 0, 0
    while True:
        folder = tmp_path / str(at)
        shutil.copytree(filled, folder)
        died = killed(folder, what, at)
        check(folder, what)
        shutil.rmtree(folder)
        if not died:
            break
        deaths += 1
        # A batch's rows are alike: its first and last ones, and a few between.
        at += 1 if deaths < 6 or at > COUNT else 17
    assert deaths > 4


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with a secret, a proven connection, and two keys in the ring."""
    folder = tmp_path_factory.mktemp("small")
    vault = opened(folder)
    vault.secrets.set(ME, "a", "value")
    vault.keys.rotate(ME)
    vault.connections.put(ME, CONNECTION, secret=True)
    vault.close()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "fail"])
def test_there_is_always_a_root_key_that_opens_everything(
    small: Path, tmp_path: Path, how: str
) -> None:
    """Whatever is met: the draft, its name, each wrapped key, the commit, the last move."""
    old = (small / "root.key").read_bytes()
    at, seen = 0, set()
    died = True
    while died:
        folder = tmp_path / str(at)
        shutil.copytree(small, folder)
        died = killed(folder, "rotate_root", at, how)
        vault = opened(folder)
        assert vault.secrets.get(ME, "a") == "value"
        vault.connections.check(ME, vault.connections.all(ME)["c"])
        [root] = {row[1] for row in vault.store.rows("keys")}
        places = (folder / "root.key", folder / "root.key.next")
        there = [name_of(path.read_bytes()) for path in places if path.exists()]
        seen.add((root == name_of(old), tuple(name == root for name in there)))
        again = vault.keys.rotate_root(ME)  # it goes on, whatever was left
        assert again not in (root, name_of(old))
        assert name_of((folder / "root.key").read_bytes()) == again
        assert not (folder / "root.key.next").exists()
        vault.close()
        assert opened(folder).secrets.get(ME, "a") == "value"
        at += 1
    assert at > 8
    assert seen == {
        (True, (True,)),  # the old key, and nothing else
        (True, (True, False)),  # there is a new one, which seals nothing yet
        (False, (False, True)),  # it seals all, and is not in the old one's place yet
        (False, (True,)),
    }


@pytest.mark.slow
def test_a_kill_while_the_vault_is_made_leaves_it_usable(tmp_path: Path) -> None:
    at = 0
    while killed(folder := tmp_path / str(at), "set", at):
        vault = opened(folder)
        vault.secrets.set(ME, "new", "again")
        assert vault.secrets.get(ME, "new") == "again"
        vault.close()
        at += 1
    assert at > 10, "the writes of a first use were not all met"
    assert opened(folder).secrets.get(ME, "new") == "new value"
