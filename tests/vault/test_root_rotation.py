"""The root key is another, and the vault the same: in each place, and for whoever has it open."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import ValueInvalid, VaultUnusable
from drawloom.vault import Principal, RootKeyPlace, Vault
from drawloom.vault.root_key import NEXT, VARIABLE, name_of

ME = Principal(who="weaver")


def filled(place: RootKeyPlace) -> Vault:
    vault = Vault(place.file.parent, place)
    vault.secrets.set(ME, "a", "value")
    vault.keys.rotate(ME)
    return vault


def test_a_file_is_replaced_and_the_old_key_opens_nothing(tmp_path: Path) -> None:
    place = RootKeyPlace(tmp_path / "root.key")
    vault = filled(place)
    old = place.file.read_bytes()
    name = vault.keys.rotate_root(ME)
    assert name == name_of(place.file.read_bytes()) != name_of(old)
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    assert not [found for found in os.listdir(tmp_path) if found.startswith("root.key.")]
    assert [c.what for c in vault.store.audited(ME, 1)] == [name]
    vault.close()
    assert Vault(tmp_path, place).secrets.get(ME, "a") == "value"
    place.file.write_bytes(old)
    with pytest.raises(VaultUnusable, match="closed with another root key"):
        Vault(tmp_path, place).secrets.get(ME, "a")


def test_one_that_has_the_vault_open_goes_on(tmp_path: Path) -> None:
    place = RootKeyPlace(tmp_path / "root.key")
    running, other = filled(place), Vault(tmp_path, place)
    assert running.secrets.get(ME, "a") == "value"
    other.keys.rotate_root(ME)
    assert running.secrets.get(ME, "a") == "value"
    running.secrets.set(ME, "b", "more")
    running.keys.rotate_root(ME)
    assert other.secrets.get(ME, "b") == "more"


def test_one_that_reads_just_as_it_is_rotated_sees_the_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are of before, and its key of after."""
    place = RootKeyPlace(tmp_path / "root.key")
    other = filled(place)
    reading = Vault(tmp_path, place)
    find, rotated = RootKeyPlace.find, []

    def find_late(self: RootKeyPlace, name: str) -> bytes | None:
        if not rotated:
            rotated.append(name)
            other.keys.rotate_root(ME)
        return find(self, name)

    monkeypatch.setattr(RootKeyPlace, "find", find_late)
    assert reading.secrets.get(ME, "a") == "value"
    assert rotated


def test_a_vault_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(VaultUnusable, match="nothing was ever set"):
        Vault(tmp_path, RootKeyPlace(tmp_path / "root.key")).keys.rotate_root(ME)
    assert os.listdir(tmp_path) == []


def test_of_the_environment_the_user_has_both_keys_until_the_change(tmp_path: Path) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))

    def place(**environment: str) -> RootKeyPlace:
        return RootKeyPlace(tmp_path / "root.key", environment=environment)

    vault = filled(place(**{VARIABLE: old}))
    with pytest.raises(ValueInvalid, match=f"put a new one into {NEXT}"):
        vault.keys.rotate_root(ME)
    both = Vault(tmp_path, place(**{VARIABLE: old, NEXT: new}))
    assert both.secrets.get(ME, "a") == "value"
    name = both.keys.rotate_root(ME)
    assert both.keys.rotate_root(ME) == name  # it was interrupted before it could say so
    assert both.secrets.get(ME, "a") == "value"
    assert Vault(tmp_path, place(**{VARIABLE: new})).secrets.get(ME, "a") == "value"
    with pytest.raises(VaultUnusable, match="another root key"):
        vault.secrets.get(ME, "a")
    same = Vault(tmp_path, place(**{VARIABLE: new, NEXT: new}))
    with pytest.raises(ValueInvalid, match="leave the old one"):
        same.keys.rotate_root(ME)
    assert os.listdir(tmp_path) == ["vault.db"] or "root.key" not in os.listdir(tmp_path)


@pytest.fixture
def kept() -> Iterator[dict[tuple[str, str], str]]:
    """What the OS keyring keeps."""
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    found: dict[tuple[str, str], str] = {}

    class Kept(KeyringBackend):
        priority: Any = 1

        def get_password(self, service: str, username: str) -> str | None:
            return found.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            if found.pop(("full", ""), None) is not None:
                raise keyring.errors.PasswordSetError("full")
            found[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del found[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    yield found
    keyring.set_keyring(before)


def test_a_key_of_the_keyring_is_replaced_in_it(
    tmp_path: Path, kept: dict[tuple[str, str], str]
) -> None:
    place = RootKeyPlace(tmp_path / "root.key", keyring=True)
    vault = filled(place)
    [(where, old)] = kept.items()
    name = vault.keys.rotate_root(ME)
    assert list(kept) == [where]
    assert name == name_of(base64.b64decode(kept[where]))
    assert kept[where] != old
    assert Vault(tmp_path, place).secrets.get(ME, "a") == "value"


def test_a_keyring_that_takes_no_key_changes_nothing_and_one_that_stops_later_is_gone_on_with(
    tmp_path: Path, kept: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = RootKeyPlace(tmp_path / "root.key", keyring=True)
    vault = filled(place)
    [where] = kept
    kept["full", ""] = "full"
    with pytest.raises(VaultUnusable, match="does not answer: PasswordSetError"):
        vault.keys.rotate_root(ME)
    assert list(kept) == [where]
    take = RootKeyPlace.take_next

    def full(self: RootKeyPlace) -> None:
        kept["full", ""] = "full"
        take(self)

    monkeypatch.setattr(RootKeyPlace, "take_next", full)
    with pytest.raises(VaultUnusable, match="does not answer"):
        vault.keys.rotate_root(ME)
    monkeypatch.undo()
    assert len(kept) == 2  # the new one is where it was put first
    assert Vault(tmp_path, place).secrets.get(ME, "a") == "value"
    Vault(tmp_path, place).keys.rotate_root(ME)
    assert list(kept) == [where]
    assert vault.secrets.get(ME, "a") == "value"
