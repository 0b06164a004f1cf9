"""Values that are kept outside: what stands for them in a scope, and loads what is read of it.

A large value is stored once, as JSON, under the digest of its content. So a
place in it always gives the same, whenever it is read, and whoever reads it
need not know that it was not at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from drawloom.dataflow.expressions import OverBudget

Path: TypeAlias = tuple[str | int, ...]
Reads: TypeAlias = Iterable[tuple[str, ...]]


class Shelf(Protocol):
    """Where large values are kept."""

    def at(self, digest: bytes, path: Path) -> Any:
        """What stands at *path* in the value. Raises `KeyError`, `IndexError` or `TypeError`
        where nothing can stand there, as indexing does."""


class LargeValue:
    """A JSON value of which at least a part is kept outside. `size` is that part's, in bytes."""

    __slots__ = ()

    size: int

    def __getitem__(self, part: str | int) -> Any:
        raise NotImplementedError

    def load(self) -> Any:
        """The whole value, plain."""
        raise NotImplementedError


class StoredValue(LargeValue):
    """What stands at *path* in the value with this digest; `size` is that of all of it."""

    __slots__ = ("digest", "path", "shelf", "size")

    def __init__(self, digest: bytes, size: int, shelf: Shelf, path: Path = ()) -> None:
        self.digest = digest
        self.size = size
        self.shelf = shelf
        self.path = path

    def __getitem__(self, part: str | int) -> StoredValue:
        # Whether there is such a part is found out when it is loaded.
        return StoredValue(self.digest, self.size, self.shelf, (*self.path, part))

    def load(self) -> Any:
        return self.shelf.at(self.digest, self.path)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredValue):
            return (self.digest, self.path) == (other.digest, other.path)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a value, as lists and objects are


class PartlyStored(LargeValue):
    """An object or list of which some members are kept outside: *parts*; *kept* has the others."""

    __slots__ = ("kept", "parts", "size")

    def __init__(self, kept: Any, parts: Mapping[Any, LargeValue]) -> None:
        self.kept = kept
        self.parts = parts
        self.size = sum(part.size for part in parts.values())

    def __getitem__(self, part: str | int) -> Any:
        found = self.parts.get(part)
        return self.kept[part] if found is None else found

    def load(self) -> Any:
        whole = self.kept.copy()
        for key, part in self.parts.items():
            whole[key] = part.load()
        return whole

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PartlyStored):
            return bool(self.kept == other.kept and self.parts == other.parts)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def plain(value: Any) -> Any:
    """The value with nothing of it outside."""
    return value.load() if isinstance(value, LargeValue) else value


def gathered(members: Any) -> Any:
    """A list or object whose members may be large: itself where none is."""
    pairs = enumerate(members) if isinstance(members, list) else members.items()
    parts = {key: member for key, member in pairs if isinstance(member, LargeValue)}
    if not parts:
        return members
    kept = members.copy()
    for key in parts:
        kept[key] = None  # it keeps its place among the others
    return PartlyStored(kept, parts)


def at_hand(scope: Mapping[str, Any], reads: Reads, most: int | None = None) -> Mapping[str, Any]:
    """*scope* with what *reads* names loaded, itself where nothing of that is outside.

    Raises `OverBudget` where that would be more than *most* bytes.
    """
    wanted = _Wanted(most)
    for path in reads:
        wanted.note(scope, path)
    return wanted.scope(scope) if wanted.parts else scope


class _Wanted:
    """The parts of a scope that are outside and read: by root, and by step below `steps`."""

    def __init__(self, most: int | None) -> None:
        self.parts: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        self._rest = most

    def note(self, scope: Mapping[str, Any], path: tuple[str, ...]) -> None:
        """What is outside on the way along *path*, or below its end."""
        for root in path[:1] or scope:
            value = scope.get(root)
            if isinstance(value, LargeValue):
                self._add(value, (root,), path[1:])
            elif root == "steps" and isinstance(value, Mapping):
                for name in path[1:2] or value:
                    if isinstance(step := value.get(name), LargeValue):
                        self._add(step, (root, name), path[2:])

    def _add(self, value: LargeValue, place: tuple[str, ...], inside: tuple[str, ...]) -> None:
        part = value
        if inside and isinstance(value, PartlyStored) and isinstance(value.kept, dict):
            part = value.parts.get(inside[0])  # type: ignore[assignment]
            inside = inside[:1]
        else:
            inside = ()
        known = self.parts.setdefault(place, set())
        if inside not in known and () not in known:
            known.add(inside)
            if self._rest is not None and part is not None:
                self._rest -= part.size
                if self._rest < 0:
                    raise OverBudget("the expression reads large values", source="")

    def scope(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """*scope*, with them loaded."""
        made = dict(scope)
        steps = dict(scope.get("steps") or {})
        for place, inside in self.parts.items():
            holder = made if len(place) == 1 else steps
            holder[place[-1]] = _loaded(holder[place[-1]], inside)
        if "steps" in made:
            made["steps"] = steps
        return made


def _loaded(value: Any, inside: set[tuple[str, ...]]) -> Any:
    if () in inside:
        return value.load()
    whole = dict(value.kept)
    for (name,) in inside:
        if (part := value.parts.get(name)) is not None:
            whole[name] = part.load()
    return whole
