"""Forget runs that ended long ago, a few at a time."""

from __future__ import annotations

import apsw

from drawloom.db import queries

_SQL = queries("journal")
_AT_ONCE = 500


def forget(db: apsw.Connection, before: int) -> int:
    """Delete runs that ended before the instant *before* (microseconds); give their number.

    Runs that are under way, or wait for a person, are never forgotten.
    """
    forgotten = 0
    while True:
        with db:
            numbers = [row[0] for row in db.execute(_SQL["expired"], (before, _AT_ONCE))]
            for number in numbers:
                db.execute(_SQL["forget_events"], (number,))
                db.execute(_SQL["forget_payloads"], (number,))
                db.execute(_SQL["forget_blobs"], (number,))
                db.execute(_SQL["forget_run"], (number,))
            if forgotten and not numbers:
                db.execute(_SQL["forget_plans"])
        forgotten += len(numbers)
        if not numbers:
            return forgotten
