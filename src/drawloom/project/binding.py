"""Bind a chain's connection slots to stored connections, or to ones given on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.chains.findings import did_you_mean
from drawloom.errors import ConnectionUnusable
from drawloom.runtime import Catalogue, StoredConnection


@dataclass(frozen=True, slots=True)
class Bound:
    """Which connection each slot uses: `slots` by name, `extra` those given on the spot."""

    slots: Mapping[str, str]
    extra: Mapping[str, StoredConnection]


def bind(
    slots: Mapping[str, str],
    overrides: Iterable[str],
    connections: Mapping[str, StoredConnection],
    defaults: Mapping[str, str],
    catalogue: Catalogue,
) -> Bound:
    """Bind each slot: by *overrides* (`slot=name` or `slot=kind:key=value,…`), by the
    project's `[bind]` (*defaults*), or by the connection of the slot's own name.

    Raises `ConnectionUnusable` where one is missing, of another kind, or badly
    configured; nothing is opened.
    """
    given = _given(overrides, slots)
    bound: dict[str, str] = {}
    extra: dict[str, StoredConnection] = {}
    for slot, kind in slots.items():
        name = given.get(slot) or defaults.get(slot) or slot
        stored = connections.get(name)
        if stored is None and ":" in name:
            stored = extra[name] = on_the_spot(name)
        if stored is None:
            raise ConnectionUnusable(_missing(slot, kind, name, connections))
        _accept(stored, slot, kind, catalogue)
        bound[slot] = name
    return Bound(bound, extra)


def _accept(stored: StoredConnection, slot: str, kind: str, catalogue: Catalogue) -> None:
    """Refuse a connection of another kind, or with settings that are wrong."""
    # The text of one given on the spot may hold a secret by mistake: it is never repeated.
    shown = f"given with --bind {slot}" if ":" in stored.name else stored.name
    if stored.kind != kind:
        raise ConnectionUnusable(
            f"slot {slot!r} wants a {kind} connection; {shown!r} is of kind {stored.kind!r}"
        )
    StoredConnection(shown, stored.kind, stored.settings).typed(catalogue)


def on_the_spot(spec: str) -> StoredConnection:
    """The connection that `kind:key=value,key.env=NAME` describes; its name is the text itself.

    `key.env=NAME` and `key.file=PATH` are references to a secret. Commas divide
    settings: a value with a comma belongs into `drawloom.toml`.
    """
    kind, _, rest = spec.partition(":")
    settings: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise ConnectionUnusable(
                f"a connection for {kind!r} is given as {kind}:key=value,key=value; "
                "a value with a comma belongs into drawloom.toml"
            )
        name, dot, how = key.partition(".")
        settings[name] = {how: value} if dot else value
    return StoredConnection(spec, kind, settings)


def _given(overrides: Iterable[str], slots: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for override in overrides:
        slot, equals, name = override.partition("=")
        if not equals or not name:
            raise ConnectionUnusable(f"--bind {slot}: write SLOT=NAME or SLOT=KIND:key=value")
        if slot not in slots:
            known = ", ".join(slots) or "none"
            advice = did_you_mean(slot, slots) or f"its slots: {known}"
            raise ConnectionUnusable(f"--bind {slot}: the chain has no such slot; {advice}")
        if slot in given:
            raise ConnectionUnusable(f"--bind {slot} is given twice")
        given[slot] = name
    return given


def _missing(slot: str, kind: str, name: str, connections: Mapping[str, StoredConnection]) -> str:
    fitting = [c.name for c in connections.values() if c.kind == kind]
    near = f"use {' or '.join(fitting)} with --bind {slot}={fitting[0]}, " if fitting else ""
    return (
        f"slot {slot!r} wants a {kind} connection, and there is none named {name!r}; {near}"
        f'add [connections.{slot}] with kind = "{kind}" to drawloom.toml, '
        f"or give one with --bind {slot}={kind}:key=value"
    )
