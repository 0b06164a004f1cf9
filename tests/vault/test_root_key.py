"""The root key: made once, for its owner alone, and never a weak one in its place."""

from __future__ import annotations

import base64
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import VaultUnusable
from drawloom.vault.root_key import VARIABLE, RootKeyPlace


def test_a_new_key_is_its_owners_alone_and_is_read_again(tmp_path: Path) -> None:
    place = RootKeyPlace(tmp_path / "deep/root.key")
    assert place.read() is None
    made = place.make()
    assert len(made) == 32
    assert place.read() == place.make() == made  # never over another
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    assert os.listdir(place.file.parent) == ["root.key"]


def _make(path: Path) -> bytes:
    return RootKeyPlace(path).make()


@pytest.mark.slow
def test_many_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(_make, [tmp_path / "root.key"] * 16)
    assert len(set(made)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    place = RootKeyPlace(tmp_path / "root.key")
    place.make()
    place.file.chmod(mode)
    with pytest.raises(VaultUnusable, match=r"open to others .*chmod 600"):
        place.read()


def test_what_is_no_whole_file_of_ones_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = RootKeyPlace(tmp_path / "root.key")
    place.make()
    (tmp_path / "link").symlink_to(place.file)
    with pytest.raises(VaultUnusable, match="cannot read"):
        RootKeyPlace(tmp_path / "link").read()
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(VaultUnusable, match="is no file"):
        RootKeyPlace(tmp_path / "pipe").read()
    place.file.write_bytes(b"x" * 31)
    with pytest.raises(VaultUnusable, match="must be 32 bytes"):
        place.read()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(VaultUnusable, match="belongs to another user"):
        place.read()


def test_the_environment_comes_first(tmp_path: Path) -> None:
    key = os.urandom(32)
    given = {VARIABLE: base64.b64encode(key).decode() + "\n"}
    place = RootKeyPlace(tmp_path / "root.key", environment=given)
    assert place.read() == key
    assert given[VARIABLE].strip() not in repr(place)


@pytest.mark.parametrize("text", ["", "x", "hunter22!", base64.b64encode(b"short").decode()])
def test_an_unfit_key_of_the_environment_is_refused_unshown(tmp_path: Path, text: str) -> None:
    place = RootKeyPlace(tmp_path / "root.key", environment={VARIABLE: text})
    with pytest.raises(VaultUnusable, match="32 random bytes in base64") as raised:
        place.read()
    assert len(text) < 2 or text not in str(raised.value)


def test_the_os_keyring_keeps_one(tmp_path: Path) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class Kept(KeyringBackend):
        priority = 1
        kept: dict[tuple[str, str], str] = {}  # noqa: RUF012 - the whole test has one

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    try:
        place = RootKeyPlace(tmp_path / "root.key", keyring=True)
        assert place.read() is None
        assert place.make() == place.read()
        assert os.listdir(tmp_path) == []
        assert list(Kept.kept) == [("drawloom", str(tmp_path / "root.key"))]
    finally:
        keyring.set_keyring(before)


def test_a_keyring_that_does_not_answer_says_what_else_there_is(tmp_path: Path) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backends.fail import Keyring

    before: Any = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(VaultUnusable, match=f"does not answer: .*{VARIABLE}"):
            RootKeyPlace(tmp_path / "root.key", keyring=True).read()
    finally:
        keyring.set_keyring(before)
