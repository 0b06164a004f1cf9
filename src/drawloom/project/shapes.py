"""The JSON shapes that `--json` prints: what they hold, and their order, stays.

A run: `{run, chain, status, output, failure, unknown, waits, steps}`; a step:
`{tool, status, attempts, seconds, failure, items_done, items_total}`; a failure:
`{kind, message, retry_after, details, harmless}`. Absent is null. Instants are
RFC 3339 in UTC, times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from drawloom.errors import Failure

if TYPE_CHECKING:
    from drawloom.drivers.embedded import Result, StepResult
    from drawloom.drivers.embedded.store import Metrics, RunRecord, StoredEvent, StoredStep
    from drawloom.sdk import Tool

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(micros: int | None) -> str | None:
    """An instant (microseconds since 1970) as RFC 3339 text."""
    if micros is None:
        return None
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def failure(found: Failure | None) -> dict[str, Any] | None:
    """A failure, all of its fields."""
    if found is None:
        return None
    return {
        "kind": str(found.kind),
        "message": found.message,
        "retry_after": found.retry_after,
        "details": None if found.details is None else dict(found.details),
        "harmless": found.harmless,
    }


def step(tool: str, found: StepResult) -> dict[str, Any]:
    """How a step ended, or stands; its output is left out."""
    return {
        "tool": tool,
        "status": found.status,
        "attempts": found.attempts,
        "seconds": found.seconds,
        "failure": failure(found.failure),
        "items_done": found.items_done,
        "items_total": found.items_total,
    }


def result(found: Result, tools: Mapping[str, str]) -> dict[str, Any]:
    """How a run ended, or stands. *tools* gives the tool of each step."""
    return {
        "run": found.run,
        "chain": found.chain,
        "status": found.status,
        "output": found.output,
        "failure": failure(found.failure),
        "unknown": list(found.unknown),
        "waits": list(found.waits),
        "steps": {name: step(tools[name], one) for name, one in found.steps.items()},
    }


def record(found: RunRecord) -> dict[str, Any]:
    """One run of a list."""
    return {
        "run": found.id,
        "chain": found.chain,
        "status": found.status,
        "number": found.number,
        "started_at": instant(found.started_at),
        "ended_at": instant(found.ended_at),
        "seconds": found.seconds,
        "failure": failure(found.failure),
    }


def metrics(found: Metrics) -> dict[str, Any]:
    """What the calls of a step cost."""
    return {
        "calls": found.calls,
        "wall": found.wall / 1_000_000,
        "cpu": found.cpu / 1_000_000,
        "bytes_in": found.bytes_in,
        "peak_memory": found.peak_memory,
        "bytes_out": found.bytes_out,
    }


def stored_step(found: StoredStep) -> dict[str, Any]:
    """A step of a stored run, with what it cost."""
    return {**step(found.tool, found.result), "metrics": metrics(found.metrics)}


def event(found: StoredEvent) -> dict[str, Any]:
    """One event of the journal."""
    return {
        "seq": found.seq,
        "at": instant(found.at),
        "kind": found.kind,
        "call": found.call,
        "step": found.step,
        "seconds": None if found.wall is None else found.wall / 1_000_000,
        "failure": failure(getattr(found.event, "failure", None)),
    }


def brief(found: Tool) -> dict[str, Any]:
    """One tool of a list: no schema is worked out."""
    return {
        "tool": found.name,
        "effect": str(found.effect),
        "connection": found.connection,
        "timeout": found.timeout,
        "summary": found.summary,
    }


def tool(found: Tool) -> dict[str, Any]:
    """One tool, its schemas included."""
    return {
        **brief(found),
        "doc": found.doc,
        "input": found.input_schema,
        "output": found.output_schema,
    }
