"""The root key: in the environment, in a file that is its owner's alone, or in the OS keyring."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from drawloom.errors import ValueInvalid, VaultUnusable
from drawloom.vault.envelope import KEY_BYTES, new_key

VARIABLE: Final = "DRAWLOOM_ROOT_KEY"
NEXT: Final = "DRAWLOOM_ROOT_KEY_NEXT"  # the one that is to follow it
FILE: Final = "root.key"
_SERVICE: Final = "drawloom"


@dataclass(frozen=True, slots=True)
class RootKeyPlace:
    """Where the root key is: `VARIABLE` of *environment* (base64) if set, else *file* or keyring.

    A key of the keyring is kept under the file's whole path. A rotation keeps the new key
    at `next` first, so that there is always one that opens the vault. It is under the
    lock of the vault; whoever reads is not, and looks at `next` before it looks here.
    """

    file: Path
    keyring: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    variable: str = VARIABLE

    def __str__(self) -> str:
        if self.in_environment:
            return f"the environment variable {self.variable}"
        return f"the keyring ({self.file.absolute()})" if self.keyring else str(self.file)

    @property
    def in_environment(self) -> bool:
        """Whether only the user can put a key there."""
        return VARIABLE in self.environment

    @property
    def next(self) -> RootKeyPlace:
        """Where the key is that is to follow."""
        return replace(self, file=self.file.with_name(f"{self.file.name}.next"), variable=NEXT)

    def find(self, name: str) -> bytes | None:
        """The key of that `name_of`; else the one that is there, or None."""
        following = self.next.read()
        return following if following and name_of(following) == name else self.read()

    def read(self) -> bytes | None:
        """The key; None where there is none yet. Raises `VaultUnusable` for one that is unfit."""
        if self.in_environment:
            given = self.environment.get(self.variable)
            return None if given is None else self._decoded(given)
        if self.keyring:
            kept = _keyring().get_password(_SERVICE, str(self.file.absolute()))
            return None if kept is None else self._decoded(kept)
        return _read(self.file)

    def make(self) -> bytes:
        """A new key, kept there; the one that is there already if another process was first."""
        if self.keyring:
            made = base64.b64encode(new_key()).decode()
            _keyring().set_password(_SERVICE, str(self.file.absolute()), made)
        else:
            _write_new(self.file, new_key())
        found = self.read()
        assert found is not None
        return found

    def make_next(self) -> bytes:
        """The key that is to follow, kept at `next`; of the environment, the one that is there.

        Raises `ValueInvalid` where the user has not put one there.
        """
        if not self.in_environment:
            self.drop_next()
            return self.next.make()
        found = self.next.read()
        if found is None or found == self.read():
            raise ValueInvalid(
                f"the root key is in the environment: put a new one into {NEXT}, in base64 "
                "(`openssl rand -base64 32` makes one), leave the old one, and try again"
            )
        return found

    def take_next(self) -> None:
        """Have the key at `next` here, in place of the old one. Killed, it is there or here."""
        if self.in_environment:
            return
        if self.keyring:
            kept = _keyring().get_password(_SERVICE, str(self.next.file.absolute()))
            _keyring().set_password(_SERVICE, str(self.file.absolute()), kept)
            self.drop_next()
            return
        try:
            self.next.file.replace(self.file)
            sync_folder(self.file.parent)
        except OSError as exc:
            raise VaultUnusable(f"cannot write the root key {self.file}: {exc.strerror}") from None

    def drop_next(self) -> None:
        """Forget the key at `next`, if there is one; nothing is sealed with it."""
        if self.in_environment:
            return
        if self.keyring:
            if self.next.read() is not None:
                _keyring().delete_password(_SERVICE, str(self.next.file.absolute()))
            return
        try:
            self.next.file.unlink(missing_ok=True)
        except OSError as exc:
            raise VaultUnusable(f"cannot remove {self.next.file}: {exc.strerror}") from None

    def _decoded(self, text: str) -> bytes:
        with suppress(binascii.Error, ValueError):
            if len(key := base64.b64decode(text.strip(), validate=True)) == KEY_BYTES:
                return key
        raise VaultUnusable(
            f"{self} must hold {KEY_BYTES} random bytes in base64; "
            "`openssl rand -base64 32` makes such a key"
        )


def name_of(root: bytes) -> str:
    """Tells one root key from another, and nothing else of it."""
    return hmac.new(root, b"drawloom: the name of this root key", hashlib.sha256).hexdigest()[:16]


def _read(path: Path) -> bytes | None:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise VaultUnusable(f"cannot read the root key {path}: {exc.strerror}") from None
    with os.fdopen(opened, "rb") as file:
        _check(path, os.fstat(opened))
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise VaultUnusable(f"the root key {path} must be {KEY_BYTES} bytes; restore it")
    return key


def _check(path: Path, found: os.stat_result) -> None:
    """Refuse a key that anybody else may read, or have put there."""
    if not stat.S_ISREG(found.st_mode):
        raise VaultUnusable(f"the root key {path} is no file")
    if found.st_uid != os.geteuid():
        raise VaultUnusable(f"the root key {path} belongs to another user; chown it to yourself")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise VaultUnusable(
            f"the root key {path} is open to others (mode {mode:04o}); chmod 600 {path}"
        )


def _write_new(path: Path, key: bytes) -> None:
    """Write *key* whole or not at all, and never over another: two processes may be here."""
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(opened)
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        sync_folder(path.parent)
    except OSError as exc:
        raise VaultUnusable(f"cannot write the root key {path}: {exc.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Have the names in *folder* on disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _keyring() -> Any:
    try:
        import keyring
    except ImportError:
        raise VaultUnusable(
            "the OS keyring needs a package; pip install 'drawloom[keyring]'"
        ) from None
    return _Keyring(keyring)


class _Keyring:
    """The OS keyring, whose own errors become `VaultUnusable`."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def get_password(self, service: str, name: str) -> str | None:
        found: str | None = self._asked("get_password", service, name)
        return found

    def set_password(self, service: str, name: str, value: str) -> None:
        self._asked("set_password", service, name, value)

    def delete_password(self, service: str, name: str) -> None:
        self._asked("delete_password", service, name)

    def _asked(self, what: str, *given: str) -> Any:
        try:
            return getattr(self._module, what)(*given)
        except self._module.errors.KeyringError as exc:
            raise VaultUnusable(
                f"the OS keyring does not answer: {type(exc).__name__}; set {VARIABLE} or "
                "use a file"
            ) from None
