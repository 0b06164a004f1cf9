"""Stores without an owner: a file of its user alone, and changes that are whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw


def make_private(path: Path) -> None:
    """Have the file of a store there, for its owner alone. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite gives the files beside it the same mode.
    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(opened, 0o600)
    finally:
        os.close(opened)


@contextmanager
def changing(db: apsw.Connection) -> Iterator[None]:
    """One change: all of it is kept, or nothing. Others that write wait.

    A change within a change is part of it.
    """
    if db.in_transaction:
        yield
        return
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
