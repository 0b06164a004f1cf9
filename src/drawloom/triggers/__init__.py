"""What starts runs by itself: schedules, which say when, and the store that forgets no firing.

It starts nothing. Whoever has an engine asks what is due, starts the runs by their
start keys, and says so. May import `chains`, `db`, `dataflow` and `errors`.
"""

from __future__ import annotations

from drawloom.triggers.due import Decisions, State, due
from drawloom.triggers.reading import schedule_of
from drawloom.triggers.schedule import (
    Firing,
    Found,
    Schedule,
    backfill,
    firings_between,
    next_firings,
)

__all__ = [
    "Decisions",
    "Firing",
    "Found",
    "Schedule",
    "State",
    "backfill",
    "due",
    "firings_between",
    "next_firings",
    "schedule_of",
]
