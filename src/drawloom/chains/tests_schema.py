"""The JSON Schema (2020-12) of `tests:`, in a chain or in a file beside it."""

from __future__ import annotations

from typing import Any

from drawloom.dataflow.durations import DURATION_PATTERN
from drawloom.errors import FailureKind

_KINDS = [kind.value for kind in FailureKind]
RUN_STATUSES = ("succeeded", "failed", "cancelled", "unknown", "waiting")
STEP_STATUSES = ("succeeded", "failed", "skipped", "cancelled", "unknown", "waiting", "running")
STEP_STATUS = f"^({'|'.join(STEP_STATUSES)})$"
SKIPPED = "^skipped$"
MOST_TESTS = 1_000


def tests_schema() -> dict[str, Any]:
    """The schema of the list of tests; a fresh one."""
    return {
        "description": "Tests of this chain, for `drawloom test`: nothing outside is touched.",
        "type": "array",
        "maxItems": MOST_TESTS,
        "items": _fixed("One test: a run with the answers that its tools give.", _test(), "name"),
    }


def _test() -> dict[str, Any]:
    return {
        "name": {**_text("What the test shows, in a few words."), "minLength": 1},
        "note": _text("A remark for the reader."),
        "input": {"description": "The input of the run.", "type": "object"},
        "now": _text("When the run begins, in RFC 3339; 2000-01-01T00:00:00Z unless given."),
        "run": {**_text("The id of the run, for chains that read it."), "minLength": 1},
        "recorded": {
            **_text("A JSON file beside this one, with `input`, `pins`, `answers` and `expect`."),
            "minLength": 1,
        },
        "pins": {
            "description": "Steps that have ended before the run begins, and are not run: "
            "`skipped`, or their output or failure.",
            "type": "object",
            "additionalProperties": {
                **_fixed("How the step has ended.", _ended()),
                "type": ["object", "string"],
                "pattern": SKIPPED,
            },
        },
        "only": {
            "description": "Of the steps that are not pinned, just these run; the output of "
            "the run is then theirs, by name.",
            "type": "array",
            "minItems": 1,
            "items": {**_text("A step."), "minLength": 1},
        },
        "answers": {
            "description": "What tools give, by step (`late`), item (`tell[3]`), call "
            "(`tell[3]#2`), undo (`book!undo`), step of a sub-chain (`double/twice`) or tool "
            "(`http.get`). A list gives one answer for each call.",
            "type": "object",
            "additionalProperties": {
                **_fixed("An answer, or a list of them.", _answer()),
                "type": ["object", "array"],
                "items": _fixed("An answer.", {**_answer(), "times": _times()}),
                "minItems": 1,
            },
        },
        "events": {
            "description": "What happens from outside while the run goes on.",
            "type": "array",
            "items": _fixed("One thing that happens.", _event()),
        },
        "expect": _fixed("How the run must end; `succeeded` unless it says more.", _expect()),
    }


def _ended() -> dict[str, Any]:
    return {
        "output": {"description": "What the step gave; of a `for_each` a list."},
        "fail": _fixed("How the step failed.", _failure(), "kind"),
    }


def _answer() -> dict[str, Any]:
    return {
        "output": {"description": "What the tool gives; of a stream the list of its items."},
        "chunks": {
            "description": "Of a stream: how many items come at a time, one after the other; "
            "else as many as are asked for.",
            "type": "array",
            "items": {"description": "A number of items.", "type": "integer", "minimum": 1},
        },
        "fail": _fixed("How the call goes wrong.", _failure(), "kind"),
        "after": _duration("How long the call takes, in virtual time."),
    }


def _times() -> dict[str, Any]:
    return {
        "description": "For how many calls this answer stands.",
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000_000,
    }


def _failure() -> dict[str, Any]:
    return {
        "kind": {"description": "One of the nine kinds of failure.", "enum": _KINDS},
        "message": _text("What the service says."),
        "retry_after": {
            "description": "In seconds.", "type": "number", "minimum": 0, "maximum": 1e9,
        },
        "harmless": {"description": "Whether it is certain that nothing happened.",
                     "type": "boolean"},
        "details": {"description": "More, as data.", "type": "object"},
    }  # fmt: skip


def _event() -> dict[str, Any]:
    return {
        "at": _duration("When, in virtual time from the start; else as soon as the run waits."),
        "cancel": _text("Somebody asks the run to stop: why."),
        "signal": _text("The signal that is sent."),
        "payload": {"description": "What the signal carries."},
        "approve": _text("The step of `core.approve` that somebody says yes to."),
        "reject": _text("The step of `core.approve` that somebody says no to."),
        "by": _text("Who says so."),
        "answers": {"description": "What the approver fills in.", "type": "object"},
        "comment": _text("What the approver adds."),
        "resolve": _text("The call, of unknown outcome, of which somebody says how it ended."),
        "outcome": {"description": "How it ended, or `again`.",
                    "enum": ["succeeded", "failed", "again"]},
        "output": {"description": "What the resolved call gave."},
        "message": _text("What went wrong with the resolved call."),
    }  # fmt: skip


def _expect() -> dict[str, Any]:
    return {
        "status": {"description": "How the run ends, or stands.", "enum": list(RUN_STATUSES)},
        "output": {"description": "The run's output, whole and exact."},
        "failure": _fixed(
            "Why the run fails.",
            {
                "kind": {"description": "The kind of failure.", "enum": _KINDS},
                "message": _text("The whole message."),
                "contains": _text("A part of the message."),
            },
        ),
        "that": {
            "description": "JSONata conditions over `output`, `status`, `failure`, `input`, "
            "`steps`, `failures` and `calls`.",
            "type": "array",
            "items": {"description": "A condition.", "type": "string", "minLength": 1},
        },
        "steps": {
            "description": "How steps end: a status, or an object with more.",
            "type": "object",
            "additionalProperties": {
                **_fixed("How the step ends.", _step_end()),
                "type": ["object", "string"],
                "pattern": STEP_STATUS,
            },
        },
        "calls": {
            "description": "How often each step calls its tool; or, call by call, the arguments.",
            "type": "object",
            "additionalProperties": {
                "description": "A number of calls, or the arguments of each.",
                "type": ["integer", "array"], "minimum": 0, "items": {"type": "object"},
            },
        },
    }  # fmt: skip


def _step_end() -> dict[str, Any]:
    return {
        "status": {"description": "The status.", "enum": list(STEP_STATUSES)},
        "attempts": {"description": "How many calls the step made.", "type": "integer",
                     "minimum": 0},
        "output": {"description": "The step's output, whole and exact."},
        "failure": {"description": "The kind of its failure.", "enum": _KINDS},
    }  # fmt: skip


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "type": "string"}


def _duration(description: str) -> dict[str, Any]:
    return {
        "description": f"{description} A duration: 30s, 5m, 1h30m, 250ms, or seconds.",
        "type": ["string", "number"],
        "pattern": DURATION_PATTERN,
        "minimum": 0,
        "maximum": 1e12,
        "maxLength": 40,
    }


def _fixed(description: str, fields: dict[str, Any], *required: str) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "description": description,
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema
