"""Large values of runs: files beside the store, and in memory what was used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from drawloom.dataflow.large_values import Path
from drawloom.doors.blobs import BlobFolder

FOLDER: Final = "blobs"
THRESHOLD: Final = 256 * 1024  # bytes of JSON
WARM: Final = 64 << 20  # bytes of JSON, whose values stay in memory
_WHOLE: Final = 4 << 20  # bytes; of a larger one, only what is asked for is made

_decode = msgspec.json.Decoder().decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Blobs:
    """The large values of one state directory, by the digests of their JSON.

    A value over *threshold* bytes is kept here. `put` has it ready at once;
    `write` brings it to the disk, on the journal's thread, before a row names it.
    Up to *warm* bytes of what was used last stay in memory.
    """

    def __init__(self, files: BlobFolder, threshold: int = THRESHOLD, warm: int = WARM) -> None:
        self.files = files
        self.threshold = threshold
        self._room = warm
        self._warm: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self.digests: dict[int, bytes] = {}  # of the warm values, by their identity
        self._unwritten: dict[bytes, bytes] = {}
        self._lock = threading.Lock()  # readers may be in threads

    def put(self, digest: bytes, content: bytes) -> None:
        """Take a value that is about to be written.

        The object itself is not kept: who made it may have it still, and change it.
        """
        self._unwritten[digest] = content

    def write(self, blobs: list[tuple[bytes, bytes]]) -> None:
        """Bring blobs to the disk. Raises `OSError`."""
        self.files.write(blobs)
        for digest, _ in blobs:
            self._unwritten.pop(digest, None)

    def known(self, value: Any) -> tuple[bytes, int] | None:
        """The digest and the bytes of a value that is in memory: this very object."""
        digest = self.digests.get(id(value))
        if digest is None:
            return None
        with self._lock:
            found = self._warm.get(digest)
        return None if found is None or found[0] is not value else (digest, found[1])

    def at(self, digest: bytes, path: Path) -> Any:
        """What stands at *path* in a value. Raises as indexing does, and `StateUnusable`
        where the blob is gone."""
        with self._lock:
            found = self._warm.get(digest)
            if found is not None:
                self._warm.move_to_end(digest)
        if found is not None:
            return _inside(found[0], path)
        content = self._unwritten.get(digest) or self.files.read(digest)
        if path and len(content) > _WHOLE:
            return _decode(_raw_inside(content, path))
        value = _decode(content)
        self._keep(digest, value, len(content))
        return _inside(value, path)

    def _keep(self, digest: bytes, value: Any, size: int) -> None:
        with self._lock:
            if digest in self._warm:
                return
            self._warm[digest] = (value, size)
            self.digests[id(value)] = digest
            self._room -= size
            while self._room < 0:
                _, (other, freed) = self._warm.popitem(last=False)
                self.digests.pop(id(other), None)
                self._room += freed


def sweep(files: BlobFolder, used: Iterable[tuple[bytes, int]]) -> tuple[int, int]:
    """Delete the files that no run uses, and what a crash left; how many, and their bytes.

    *used* are digests with sizes. Only for who owns the state directory, while no run is under way.
    """
    kept = {digest for digest, _ in used}
    count = size = 0
    for path, digest in files.files():
        if digest not in kept:
            count, size = count + 1, size + path.stat().st_size
            path.unlink()
    return count, size


def _inside(value: Any, path: Path) -> Any:
    for part in path:
        if isinstance(value, str):
            raise TypeError("text has no parts")
        value = value[part]
    return value


def _raw_inside(content: bytes, path: Path) -> bytes | msgspec.Raw:
    """The JSON of what stands at *path*; nothing else is made a value."""
    raw: bytes | msgspec.Raw = content
    for part in path:
        try:
            raw = _object(raw)[part] if isinstance(part, str) else _array(raw)[part]
        except msgspec.ValidationError as exc:
            raise TypeError(str(exc)) from None
    return raw
