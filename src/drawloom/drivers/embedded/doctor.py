"""Examine a state directory: is it whole, does its history replay, who has it, what will happen."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import apsw

from drawloom.chains.plan import ToolSpec
from drawloom.db import SCHEMA_VERSION, queries
from drawloom.doors.blobs import BlobFolder
from drawloom.drivers.embedded.blobs import FOLDER
from drawloom.drivers.embedded.codec import digest_of
from drawloom.drivers.embedded.replaying import replay_recorded
from drawloom.drivers.embedded.state import STORE, owner_of
from drawloom.drivers.embedded.store import RunRecord, Store
from drawloom.drivers.embedded.store_abandon import ABANDONED
from drawloom.errors import StateUnusable

_SQL = queries("journal")
_SAMPLE = 20  # finished runs that are replayed, the latest
_ROOM = 200 << 20  # bytes of free disk under which it warns
_WAL = 256 << 20  # bytes of a write-ahead log that is no longer folded back
_WITHIN = 10.0  # seconds for all the replays of finished runs together

Grade: TypeAlias = Literal["ok", "warning", "error"]

DURABILITY = {
    "full": "each answer that an effect rests on is synced to disk before anything rests on it",
    "relaxed": "a crash of the process loses nothing; a power failure may lose the last moments",
    "memory": "nothing is kept: runs end with the process",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do where it is not well."""

    name: str
    grade: Grade
    found: str
    advice: str = ""


def examine(state: Path, find_tool: Callable[[str], ToolSpec]) -> Iterator[Check]:
    """Every check of the state directory *state*; nothing is changed."""
    if not (state / STORE).exists():
        yield Check("store", "ok", f"there is none at {state} yet; the first run makes it")
        return
    try:
        store = Store(state)
    except StateUnusable as exc:
        yield Check("store", "error", str(exc), "restore it from a backup, or use another --state")
        return
    with store:
        try:
            yield from _of_store(store, find_tool)
        except apsw.Error as exc:
            yield Check("store", "error", f"cannot be read: {exc}", _RESTORE)


_RESTORE = "stop every engine, copy the folder away, and restore it from a backup"


def _of_store(store: Store, find_tool: Callable[[str], ToolSpec]) -> Iterator[Check]:
    yield Check("store version", "ok", f"{SCHEMA_VERSION}, the one that this Drawloom writes")
    yield _owner(store.state)
    yield _integrity(store.db)
    yield _foreign_keys(store.db)
    yield _rows(store.db, "sequence", "gaps", "runs whose events have gaps")
    yield _rows(store.db, "orphans", "orphans", "events of runs that are not there")
    yield _rows(store.db, "starts", "never_started", "runs without their start")
    yield _blobs(store)
    yield from _unfinished(store, find_tool)
    yield _finished(store, find_tool)
    yield from _disk(store.state)


def _owner(state: Path) -> Check:
    owner = owner_of(state)
    if owner is None:
        return Check("owner", "ok", "no process has the state directory now")
    return Check(
        "owner", "ok", f"{owner['command']} (process {owner['pid']}) has it, and is alive"
    )


def _integrity(db: apsw.Connection) -> Check:
    faults = [str(row[0]) for row in db.execute("pragma integrity_check(5)")]
    if faults == ["ok"]:
        return Check("integrity", "ok", "SQLite finds no fault in the file")
    return Check("integrity", "error", "; ".join(faults), _RESTORE)


def _foreign_keys(db: apsw.Connection) -> Check:
    broken = db.execute("pragma foreign_key_check").fetchall()
    if not broken:
        return Check("foreign keys", "ok", "every run has its plan")
    return Check("foreign keys", "error", f"{len(broken)} rows point at nothing", _RESTORE)


def _rows(db: apsw.Connection, name: str, query: str, what: str) -> Check:
    found: list[Any] = db.execute(_SQL[query]).fetchall()
    if not found:
        return Check(name, "ok", f"no {what}")
    first = ", ".join(str(row[0]) for row in found[:5])
    return Check(name, "error", f"{len(found)} {what}: {first}", _RESTORE)


def _blobs(store: Store) -> Check:
    """Every large value has its file; as many as time allows are read and compared."""
    files = BlobFolder(store.state / FOLDER)
    until = time.monotonic() + _WITHIN
    used: dict[Any, Any] = dict(store.db.execute(_SQL["blobs"]).fetchall())  # type: ignore[arg-type]
    missing = [digest for digest, size in used.items() if files.size(digest) != size]
    read = 0
    for digest in used:
        if missing or time.monotonic() > until:
            break
        read += 1
        if digest_of(files.read(digest)) != digest:
            missing.append(digest)
    if missing:
        first = ", ".join(digest.hex() for digest in missing[:5])
        found = f"{len(missing)} files are missing or damaged: {first}"
        return Check("large values", "error", found, _RESTORE)
    kilobytes = sum(used.values()) // 1000
    found = f"{len(used)} files, {kilobytes:,} kB; {read} were read, and are as they were written"
    return Check("large values", "ok", found)


def _unfinished(store: Store, find_tool: Callable[[str], ToolSpec]) -> Iterator[Check]:
    open_ones = ("queued", "running", "waiting", "unknown")
    runs = [run for status in open_ones for run in store.list(status, limit=10_000)]
    broken = [(run, why) for run in runs if (why := _why_not(store, run, find_tool))]
    for run, why in broken:
        yield Check(
            "unfinished runs",
            "error",
            f"run {run.id} of {run.chain} cannot be taken up: {why}",
            f"drawloom runs cancel {run.id} --abandon",
        )
    waiting = sum(run.status == "unknown" for run in runs)
    if waiting:
        yield Check(
            "unfinished runs",
            "warning",
            f"{waiting} wait for a person to say how a call ended",
            "drawloom runs list --status unknown",
        )
    if not broken:
        yield Check("unfinished runs", "ok", f"{len(runs)}, and each can be taken up again")


def _why_not(store: Store, run: RunRecord, find_tool: Callable[[str], ToolSpec]) -> str:
    """Why a run cannot be replayed; empty where it can."""
    try:
        store.history(run, find_tool)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is this run's fault, and told
        return str(exc)
    return ""


def _finished(store: Store, find_tool: Callable[[str], ToolSpec]) -> Check:
    """The stored end of finished runs is what their history gives."""
    until = time.monotonic() + _WITHIN
    looked, differing, other = 0, [], 0
    for run in (r for r in store.list(limit=_SAMPLE * 5) if r.over and not _abandoned(r)):
        if looked == _SAMPLE or time.monotonic() > until:
            break
        looked += 1
        try:
            if not replay_recorded(store, store.run(run.id), find_tool).same:
                differing.append(run.id)
        except Exception:  # noqa: BLE001 - an older plan, or a tool that is gone: not a fault
            other += 1
    if differing:
        found = f"{len(differing)} of {looked} do not replay as stored: {', '.join(differing)}"
        return Check("finished runs", "error", found, f"drawloom runs replay {differing[0]}")
    more = f"; {other} are of chains or tools that are gone" if other else ""
    return Check("finished runs", "ok", f"the latest {looked} replay as stored{more}")


def _abandoned(run: RunRecord) -> bool:
    return run.failure is not None and run.failure.message.startswith(ABANDONED)


def _disk(state: Path) -> Iterator[Check]:
    free = shutil.disk_usage(state).free
    grade: Grade = "ok" if free > _ROOM else "warning"
    yield Check(
        "disk", grade, f"{free >> 20:,} MB free", "" if grade == "ok" else "free some space"
    )
    wal = state / f"{STORE}-wal"
    size = wal.stat().st_size if wal.exists() else 0
    grade = "ok" if size < _WAL else "warning"
    advice = "" if grade == "ok" else "a reader holds it open; end what reads the store"
    yield Check("write-ahead log", grade, f"{size >> 10:,} kB", advice)
