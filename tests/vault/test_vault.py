"""The vault: versions, tenants, the audit, and rows that somebody altered by hand."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from drawloom.errors import ValueInvalid, VaultUnusable
from drawloom.vault import FILE, Principal, RootKeyPlace, Vault
from drawloom.vault.connections import KeptConnection

ME = Principal(who="weaver")
OTHER = Principal("other", "thief")


def opened(folder: Path) -> Vault:
    return Vault(folder, RootKeyPlace(folder / "root.key"))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = opened(tmp_path / "state")
    yield made
    made.close()


def test_reading_makes_nothing(vault: Vault) -> None:
    assert vault.secrets.list(ME) == []
    assert vault.connections.all(ME) == {}
    assert vault.store.version() == 0
    with pytest.raises(ValueInvalid, match="no secret 'a'"):
        vault.secrets.get(ME, "a")
    assert not vault.store.path.parent.exists()


def test_the_newest_version_is_given_and_a_few_are_kept(vault: Vault) -> None:
    for number in range(1, 6):
        assert vault.secrets.set(ME, "a", f"value {number}") == number
    assert vault.secrets.get(ME, "a") == "value 5"
    [about] = vault.secrets.list(ME)
    assert (about.version, about.kept, about.changed_by) == (5, 3, "weaver")


def test_a_number_is_never_used_again(vault: Vault) -> None:
    vault.secrets.set(ME, "a", "one")
    vault.secrets.remove(ME, "a")
    assert vault.secrets.set(ME, "a", "two") == 2
    with pytest.raises(ValueInvalid):
        vault.secrets.remove(ME, "b")


def test_a_tenant_sees_nothing_of_another(vault: Vault) -> None:
    vault.secrets.set(ME, "a", "mine")
    vault.connections.put(ME, KeptConnection("c", "http"), secret=True)
    assert vault.secrets.list(OTHER) == []
    assert vault.connections.all(OTHER) == {}
    assert vault.store.audited(OTHER, 9) == []
    for change in (vault.secrets.remove, vault.connections.remove):
        with pytest.raises(ValueInvalid):
            change(OTHER, "a" if change == vault.secrets.remove else "c")
    with pytest.raises(ValueInvalid):
        vault.secrets.get(OTHER, "a")


def test_every_change_is_in_the_audit_without_values(vault: Vault) -> None:
    vault.secrets.set(ME, "a", "hunter22")
    vault.connections.put(ME, KeptConnection("c", "http"), secret=False)
    vault.keys.rotate(ME)
    vault.keys.rewrap(ME)
    vault.connections.remove(ME, "c")
    vault.secrets.remove(ME, "a")
    told = vault.store.audited(ME, 99)
    assert [c.did for c in told if c.who == "weaver"] == [
        "removed secret",
        "removed connection",
        "rewrapped",
        "rotated key",
        "added connection",
        "set secret",
    ]
    assert "hunter22" not in repr(told)


def test_its_files_are_its_owners_alone(vault: Vault) -> None:
    old = os.umask(0)
    try:
        vault.secrets.set(ME, "a", "value")
    finally:
        os.umask(old)
    folder = vault.store.path.parent
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}
    assert modes.keys() >= {FILE, f"{FILE}-wal", f"{FILE}-shm", "root.key"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "a" * 129, "ü"])
def test_an_unfit_name_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(ValueInvalid, match="the name of a secret"):
        vault.secrets.set(ME, name, "value")


def test_an_empty_and_a_huge_value_are_refused_unshown(vault: Vault) -> None:
    with pytest.raises(ValueInvalid, match="is empty"):
        vault.secrets.set(ME, "a", "")
    with pytest.raises(ValueInvalid, match="over 65536 bytes") as raised:
        vault.secrets.set(ME, "a", "hunter22" * 9000)
    assert "hunter22" not in str(raised.value)


def test_rotating_and_rewrapping_keeps_every_value_and_drops_the_old_key(vault: Vault) -> None:
    for number in range(250):  # more than one transaction takes
        vault.secrets.set(ME, f"s{number}", f"value {number}")
    first = vault.secrets.list(ME)[0].key
    second = vault.keys.rotate(ME)
    assert vault.secrets.get(ME, "s7") == "value 7"  # the old key opens it
    assert vault.keys.rewrap(ME) == (250, [first])
    assert {about.key for about in vault.secrets.list(ME)} == {second}
    assert [vault.secrets.get(ME, f"s{n}") for n in range(250)] == [
        f"value {n}" for n in range(250)
    ]
    assert vault.keys.rewrap(ME) == (0, [])


def test_rewrapping_touches_no_value(vault: Vault) -> None:
    vault.secrets.set(ME, "a", "value")
    [(_, _, wrapped, sealed)] = vault.store.rows("latest", "default", "a")
    vault.keys.rotate(ME)
    vault.keys.rewrap(ME)
    [(_, _, anew, kept)] = vault.store.rows("latest", "default", "a")
    assert kept == sealed
    assert anew != wrapped


def test_two_that_are_open_see_each_others_changes(vault: Vault) -> None:
    vault.secrets.set(ME, "a", "one")
    other = opened(vault.store.path.parent)
    before = other.store.version()
    vault.keys.rotate(ME)
    vault.secrets.set(ME, "a", "two")
    vault.keys.rewrap(ME)
    assert other.secrets.get(ME, "a") == "two"
    assert other.store.version() > before
    other.close()


def test_a_missing_root_key_is_not_made_anew(vault: Vault) -> None:
    vault.secrets.set(ME, "a", "value")
    root = vault.store.path.with_name("root.key")
    root.unlink()
    again = opened(root.parent)
    for use in (lambda: again.secrets.get(ME, "a"), lambda: again.secrets.set(ME, "b", "v")):
        with pytest.raises(VaultUnusable, match=r"there is no root key: .*restore it"):
            use()
    assert not root.exists()
    root.touch(0o600)
    root.write_bytes(b"k" * 32)
    with pytest.raises(VaultUnusable, match="another root key"):
        again.secrets.get(ME, "a")
    again.close()


def altered(vault: Vault, sql: str) -> None:
    """Change rows as somebody would who can write the file, but has no root key."""
    db = apsw.Connection(str(vault.store.path))
    db.execute(sql)
    assert db.changes() > 0
    db.close()


@pytest.mark.parametrize(
    "sql",
    [
        "update secrets set sealed = (select sealed from secrets where name = 'b') where name='a'",
        """update secrets set sealed = b.sealed, wrapped = b.wrapped from secrets b
        where b.name = 'b' and secrets.name = 'a'""",
        "update secrets set version = version + 1 where name = 'a'",
        "update secrets set sealed = substr(sealed, 1, 20) where name = 'a'",
        "update secrets set tenant = 'default' where tenant = 'other'",
        "update keys set wrapped = zeroblob(61)",
    ],
    ids=["value", "row", "version", "cut", "tenant", "ring"],
)
def test_rows_that_were_swapped_are_refused_by_name(vault: Vault, sql: str) -> None:
    vault.secrets.set(ME, "b", "b's value")
    vault.secrets.set(OTHER, "a", "another tenant's")
    if "tenant" not in sql:
        vault.secrets.set(ME, "a", "a's value")
    altered(vault, sql)
    with pytest.raises(VaultUnusable, match=r"'a'|the ring"):
        vault.secrets.get(ME, "a")


@pytest.mark.parametrize(
    "sql",
    [
        """update connections set settings = '{"host": "evil"}'""",
        "update connections set origins = '[\"evil\"]'",
        "update connections set proof = null",
        "update connections set name = 'c', proof = (select proof from connections)",
    ],
)
def test_a_connection_that_was_altered_gets_no_secret(vault: Vault, sql: str) -> None:
    kept = KeptConnection("c", "lab", {"host": "good"}, ("good",))
    vault.connections.put(ME, kept, secret=True)
    vault.connections.check(ME, vault.connections.all(ME)["c"])
    if "name = 'c'" in sql:
        vault.connections.put(ME, KeptConnection("d", "lab"), secret=True)
        vault.connections.remove(ME, "c")
    altered(vault, sql)
    with pytest.raises(VaultUnusable, match=r"'c' was (altered|written) by hand"):
        vault.connections.check(ME, vault.connections.all(ME)["c"])


def test_rewrapping_proves_connections_anew_and_refuses_altered_ones(vault: Vault) -> None:
    kept = KeptConnection("c", "lab", {"host": "good"}, ("good",))
    vault.connections.put(ME, kept, secret=True)
    vault.keys.rotate(ME)
    count, dropped = vault.keys.rewrap(ME)
    assert (count, len(dropped)) == (1, 1)
    vault.connections.check(ME, vault.connections.all(ME)["c"])
    altered(vault, """update connections set settings = '{"host": "evil"}'""")
    vault.keys.rotate(ME)
    with pytest.raises(VaultUnusable, match="'c' was altered"):
        vault.keys.rewrap(ME)
