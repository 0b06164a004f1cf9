"""The published JSON Schema (2020-12) of the chain document: the one law of its structure.

The loader judges by this schema and nothing else, so that an editor that uses
it and `drawloom check` never disagree.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from drawloom.chains.sizes import LARGEST_SIZE, SIZE_PATTERN
from drawloom.chains.tests_schema import tests_schema
from drawloom.dataflow.durations import DURATION_PATTERN
from drawloom.errors import FailureKind

NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
SLOT = "^[A-Za-z_][A-Za-z0-9_-]*$"
CHAIN_NAME = "^[a-z0-9][a-z0-9-]*$"
SEMVER = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
)
WHOLE_REFERENCE = r"^\$\{[\s\S]*\}$"


@cache
def _schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:drawloom:chain:1",
        "title": "Drawloom chain",
        "description": "A chain of typed tools.",
        "type": "object",
        "properties": _chain_fields(),
        "required": ["chain", "steps"],
        "additionalProperties": False,
        "$defs": {"step": _step()},
    }


def chain_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a chain document; a fresh copy."""
    copied = _copy(_schema())
    assert isinstance(copied, dict)
    return copied


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(inner) for name, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _chain_fields() -> dict[str, Any]:
    return {
        "chain": _text("The chain's name: small letters, digits and dashes.", CHAIN_NAME, 100),
        "version": _text("The version, as MAJOR.MINOR.PATCH (semver 2.0).", SEMVER, 100),
        "title": _text("What people see instead of the name."),
        "description": _text("What the chain is for."),
        "input": _named(
            NAME,
            {"type": "object", "description": "A JSON Schema (2020-12), with `default` if optional."},
            "What a run is given: each name with its JSON Schema. Without a default it is required.",
        ),
        "connections": _named(
            SLOT,
            {"type": "string", "minLength": 1, "description": "The kind, such as postgresql."},
            "The slots that steps name in `on`, each with its kind; a deployment binds them.",
        ),
        "vars": _named(NAME, {}, "Constants, read as `vars.name`."),
        "steps": _named(NAME, {"$ref": "#/$defs/step"}, "The steps, by name."),
        "output": {"description": "What the run gives: values with `${…}` references."},
        "on_failure": _text("The chain to run when this one fails.", CHAIN_NAME),
        "timeout": _duration("How long a run may take."),
        "concurrency": _concurrency(),
        "priority": {
            "description": "Which of the runs that wait go first: the higher the sooner.",
            "type": "integer", "minimum": -1000, "maximum": 1000,
        },
        "tests": tests_schema(),
        **_for_people(),
    }  # fmt: skip


def _step() -> dict[str, Any]:
    return {
        "description": "One use of a tool.",
        "type": "object",
        "properties": {**_call_fields(), **_flow_fields(), **_policy_fields(), **_for_people()},
        "required": ["use"],
        "additionalProperties": False,
    }


def _call_fields() -> dict[str, Any]:
    return {
        "use": {
            "description": "The tool, as connector.tool.", "type": "string", "minLength": 1,
        },
        "on": {
            "description": "The connection slot whose client the tool uses.",
            "type": "string", "minLength": 1,
        },
        "with": {
            "description": "The tool's input: values with `${…}` references, or one reference.",
            "type": ["object", "string"], "pattern": WHOLE_REFERENCE,
        },
    }  # fmt: skip


def _flow_fields() -> dict[str, Any]:
    return {
        "after": {
            "description": "Steps to wait for: a list, or each with what it must have done.",
            "type": ["object", "array"],
            "additionalProperties": {"enum": ["succeeded", "failed", "finished"]},
            "items": {"type": "string"},
            "uniqueItems": True,
        },
        "when": {
            "description": "The step runs only if this expression is true.",
            "type": ["string", "boolean"], "minLength": 1,
        },
        "join": {
            "description": "Skip if any (`all`) or if all (`any`) of what is needed was skipped.",
            "enum": ["all", "any"],
        },
        "for_each": {
            "description": "Run once per item of this list: a `${…}` reference, a "
            "{$jsonpath: …}, or the list itself.",
            "type": ["string", "array", "object"], "pattern": WHOLE_REFERENCE,
        },
        "concurrency": _count("How many items of `for_each` run at once.", 100_000),
        "batch": _count("How many items go into one call; `item` is then a list.", 1_000_000),
        "repeat": _fixed(
            "Run again until a condition holds.",
            {
                "until": _text("Stop when this expression is true."),
                "delay": _duration("The pause between two runs."),
                "limit": _count("How often at most.", 1_000_000),
            },
            ["until"],
        ),
    }  # fmt: skip


def _policy_fields() -> dict[str, Any]:
    return {
        "retry": _fixed("Try again after a failure.", _retry_fields(), []),
        "timeout": _duration("How long one call may take."),
        "cache": _cache(),
        "on_error": {
            "description": "`continue` lets the run go on when the step has failed.",
            "enum": ["fail", "continue"],
        },
        "compensate": _fixed(
            "The tool that undoes the step when the run fails later.",
            {
                **_call_fields(),
                "retry": _fixed("Try again after a failure.", _retry_fields(), []),
                "timeout": _duration("How long one call may take."),
            },
            ["use"],
        ),
        "resources": _fixed(
            "What one call may take of the machine, in a process of its own.",
            {
                "memory": _size("All memory of the call, the interpreter included."),
                "cpu": _duration("CPU time."),
                "files": _count("Open files.", 1_000_000),
                "processes": _count("Processes, the first one included.", 100_000),
                "disk": _size("The largest file that may be written."),
            },
            [],
        ),
    }  # fmt: skip


def _cache() -> dict[str, Any]:
    fields = {
        "ttl": _duration("How long an answer is used again."),
        "stale": _duration("How long after that it is still given, while a new one is fetched."),
        "tags": {
            "description": "Names by which answers are forgotten: `drawloom cache clear --tag`.",
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "uniqueItems": True,
        },
    }
    return {
        "description": "How long an answer of a tool that only looks is used again: a duration "
        "(30s, 5m, 1h30m, 250ms, or seconds), or ttl with stale and tags.",
        "type": ["string", "number", "object"], "pattern": DURATION_PATTERN,
        "minimum": 0, "maximum": 1e12, "maxLength": 40,
        "properties": fields, "required": ["ttl"], "additionalProperties": False,
    }  # fmt: skip


def _concurrency() -> dict[str, Any]:
    fields = {
        "limit": _count("How many at once.", 1_000_000),
        "key": _text("Counted apart for each value of this, such as `${input.customer}`."),
    }
    return {
        "description": "How many runs of this chain go on at once; the others wait. A number, "
        "or a limit with a key.",
        "type": ["integer", "object"], "minimum": 1, "maximum": 1_000_000,
        "properties": fields, "required": ["limit"], "additionalProperties": False,
    }  # fmt: skip


def _retry_fields() -> dict[str, Any]:
    return {
        "attempts": _count("Calls in all, the first one included.", 1_000),
        "delay": _duration("The pause before the second call."),
        "factor": {
            "description": "By how much each pause is longer than the one before.",
            "type": "number", "minimum": 1, "maximum": 100,
        },
        "max_delay": _duration("The longest pause."),
        "jitter": {
            "description": "The share of a pause that is random.",
            "type": "number", "minimum": 0, "maximum": 1,
        },
        "budget": _duration("The time in which the last call must begin."),
        "on": {
            "description": "The kinds of failure to try again after.",
            "type": "array", "items": {"enum": [kind.value for kind in FailureKind]},
            "minItems": 1, "uniqueItems": True,
        },
    }  # fmt: skip


def _for_people() -> dict[str, Any]:
    return {
        "note": _text("A remark for the reader."),
        "ui": {"description": "Where the canvas keeps its positions.", "type": "object"},
    }


def _text(description: str, pattern: str = "", longest: int = 0) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": description, "type": "string"}
    if pattern:
        schema["pattern"] = pattern
    return {**schema, "maxLength": longest} if longest else schema


def _count(description: str, most: int) -> dict[str, Any]:
    return {"description": description, "type": "integer", "minimum": 1, "maximum": most}


def _duration(description: str) -> dict[str, Any]:
    return {
        "description": f"{description} A duration: 30s, 5m, 1h30m, 250ms, or seconds.",
        "type": ["string", "number"],
        "pattern": DURATION_PATTERN,
        "minimum": 0,
        "maximum": 1e12,
        "maxLength": 40,
    }


def _size(description: str) -> dict[str, Any]:
    return {
        "description": f"{description} A size: 256MB, 1GiB, 64kB, or bytes.",
        "type": ["string", "integer"],
        "pattern": SIZE_PATTERN,
        "minimum": 1,
        "maximum": LARGEST_SIZE,
        "maxLength": 40,
    }


def _named(pattern: str, each: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"pattern": pattern},
        "additionalProperties": each,
    }


def _fixed(description: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "description": description,
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema
