"""End a run that no kernel of this Drawloom can take up any more: by a person's word alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

from drawloom.db import connect_writer
from drawloom.drivers.embedded.codec import to_json
from drawloom.drivers.embedded.state import STORE, Ownership
from drawloom.errors import Failure, FailureKind, ValueInvalid

# How the failure of such a run begins; its clean-up did not run, so its history need not end.
ABANDONED = "cancelled: abandoned: "


def abandon(state: Path, run_id: str, reason: str) -> None:
    """Record *run_id* as cancelled, without clean-up; its history is kept as it is.

    Raises `StateUnusable` where another process owns *state*, and `ValueInvalid`
    where the run is over already.
    """
    with Ownership(state):
        db = connect_writer(state / STORE)
        try:
            now = time.time_ns() // 1000
            failure = Failure(FailureKind.CONFLICT, f"{ABANDONED}{reason}")
            with db:
                db.execute(
                    "insert into events (run, seq, at, kind, body) "
                    "select r.number, 1 + coalesce((select max(seq) from events e "
                    "where e.run = r.number), 0), ?, 'cancel', ? from runs r "
                    "where r.id = ? and r.ended_at is null",
                    (now, json.dumps(f"abandoned: {reason}"), run_id),
                )
                db.execute(
                    "update runs set status = 'cancelled', ended_at = ?, failure = ? "
                    "where id = ? and ended_at is null",
                    (now, to_json(failure), run_id),
                )
                if not db.changes():
                    raise ValueInvalid(f"run {run_id} is over already; nothing was changed")
        finally:
            db.close()
