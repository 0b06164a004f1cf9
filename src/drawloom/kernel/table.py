"""The life of a step, as a table. `Run._move` is the only place that changes a status.

Statuses and triggers are plain text, for they are looked up a million times a
second. The diagram in the docs is drawn from `TRANSITIONS`.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Status: TypeAlias = Literal[
    "waiting",  # for the steps that it needs
    "evaluating",  # its expressions are too large for the loop, and run elsewhere
    "running",  # called, no answer yet (a for_each: some items are not done; a wait: it lasts)
    "resting",  # waits for its next attempt, or its next pass
    "succeeded",
    "failed",
    "skipped",  # its condition was false, or what it needs was skipped
    "cancelled",
    "unknown",  # nobody can know whether its effect happened; a person decides
]
Trigger: TypeAlias = Literal[
    "evaluate", "call", "pin", "skip", "succeed", "rest", "give up", "lose", "cancel"
]

WAITING: Final = "waiting"
EVALUATING: Final = "evaluating"
RUNNING: Final = "running"
RESTING: Final = "resting"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"
CANCELLED: Final = "cancelled"
UNKNOWN: Final = "unknown"

TRANSITIONS: Final[dict[Status, dict[Trigger, Status]]] = {
    "waiting": {
        "evaluate": "evaluating",
        "call": "running",
        "pin": "succeeded",
        "skip": "skipped",
        "give up": "failed",
        "cancel": "cancelled",
    },
    "evaluating": {
        "evaluate": "evaluating",
        "call": "running",
        "succeed": "succeeded",
        "rest": "resting",
        "skip": "skipped",
        "give up": "failed",
        "cancel": "cancelled",
    },
    "running": {
        "evaluate": "evaluating",
        "call": "running",
        "succeed": "succeeded",
        "rest": "resting",
        "give up": "failed",
        "lose": "unknown",
        "cancel": "cancelled",
    },
    "resting": {
        "evaluate": "evaluating",
        "call": "running",
        "give up": "failed",
        "cancel": "cancelled",
    },
    "unknown": {
        "evaluate": "evaluating",
        "call": "running",
        "succeed": "succeeded",
        "rest": "resting",
        "give up": "failed",
    },
    "succeeded": {},
    "failed": {},
    "skipped": {},
    "cancelled": {},
}

FINAL: Final = frozenset({SUCCEEDED, FAILED, SKIPPED, CANCELLED})
