"""The door to big values: a folder of files that are named by their content, and never change."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from drawloom.errors import StateUnusable

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = ".part"


class BlobFolder:
    """Files in *root*, each at `ab/abcd…` for the digest `abcd…` of its content.

    *sync* has each file on the disk before `write` returns; without it a power
    failure may lose the last ones. The folder is made at the first write.
    """

    __slots__ = ("root", "sync")

    def __init__(self, root: Path, *, sync: bool = True) -> None:
        self.root = root
        self.sync = sync

    def write(self, blobs: Iterable[tuple[bytes, bytes]]) -> None:
        """Write `(digest, content)` pairs; what is there already stays. Raises `OSError`."""
        folders: set[Path] = set()
        for digest, content in blobs:
            path = self._path(digest)
            if self.size(digest) == len(content):
                continue
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write(path, content)
            folders |= {path.parent, self.root}
        if self.sync:
            for folder in folders:
                _sync_folder(folder)

    def _write(self, path: Path, content: bytes) -> None:
        part = path.parent / f"{secrets.token_hex(8)}{_UNFINISHED}"
        with os.fdopen(os.open(part, _CREATE, 0o600), "wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            if self.sync:
                os.fsync(file.fileno())
        os.replace(part, path)

    def read(self, digest: bytes) -> bytes:
        """The content. Raises `StateUnusable` where it is gone."""
        try:
            with os.fdopen(os.open(self._path(digest), _READ), "rb") as file:
                return file.read()
        except OSError as exc:
            raise StateUnusable(
                f"blob {digest.hex()} cannot be read: {exc.strerror}; run `drawloom doctor`"
            ) from None

    def size(self, digest: bytes) -> int | None:
        """How many bytes a blob has; None where there is none."""
        try:
            return os.stat(self._path(digest), follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def files(self) -> Iterator[tuple[Path, bytes | None]]:
        """Every file, with its digest; None for one that a crash left half-written."""
        for path in self.root.glob("??/*"):
            try:
                yield path, bytes.fromhex(path.name)
            except ValueError:
                yield path, None

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.root / name[:2] / name


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
