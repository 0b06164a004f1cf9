"""Everything Drawloom raises, in one place.

* DrawloomError
  - ChainInvalid        a chain document is wrong; found before anything runs
  - ValueInvalid        a value is not I-JSON, or does not fit the schema it meets
  - ExpressionInvalid   an expression cannot be parsed, or went wrong (code, position)
  - ConnectionUnusable  a connection is unknown, badly configured, or cannot be opened
  - VaultUnusable       the root key is missing, wrong or open to others, or a secret was altered
  - AccessRefused       a person or a token may not do that, or not now; carries a `Failure`
  - ToolError           a tool call went wrong; carries a `Failure`
  - Overloaded          there is no room for another run now; carries a `Failure`
  - RunFailed           a run that the caller waited for did not succeed
  - StateUnusable       a state directory is owned, newer, damaged, full or missing
  - JournalMismatch     a replayed history does not belong to this chain (or a bug)
  - KernelMisuse        a driver fed the kernel an event that it cannot take (a bug)

Exceptions stay inside a process. A `Failure` is the data form: it is what
crosses the journal, the wire and the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FailureKind(StrEnum):
    """What went wrong, in the nine words that decide what may be done about it."""

    INVALID = "invalid"  # the caller's input; retrying cannot help
    DENIED = "denied"  # credentials or permissions
    MISSING = "missing"  # the named thing is not there
    CONFLICT = "conflict"  # the world moved on; the caller must decide
    THROTTLED = "throttled"  # refused before acceptance; try later (`retry_after`)
    TRANSIENT = "transient"  # network, 5xx, a connection lost in the middle
    TIMEOUT = "timeout"  # no answer in time; outcome not known
    LOST = "lost"  # the worker died during the call; outcome not known
    DEFECT = "defect"  # the tool itself broke: a bug


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call, a step or a run failed: plain data.

    `retry_after` is in seconds. `harmless` is True where it is proven that the
    call had no effect (a refused connection), so that even a `once` tool may be
    tried again. `details` is I-JSON.
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None
    details: Mapping[str, Any] | None = None
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class DrawloomError(Exception):
    """Base of every error that Drawloom raises."""


class ChainInvalid(DrawloomError):
    """A chain document is wrong; `findings` says where, each with a code.

    `code` is that of a single finding that whoever knows its place can make of it.
    """

    def __init__(self, message: str, findings: tuple[Any, ...] = (), code: str = "") -> None:
        super().__init__(message)
        self.findings = findings
        self.code = code


class ValueInvalid(DrawloomError):
    """A value is not I-JSON or does not fit its schema; `path` is a JSON Pointer (RFC 6901)."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path or '(root)'}: {message}" if path else message)
        self.reason = message
        self.path = path


class ExpressionInvalid(DrawloomError):
    """An expression is wrong; `position` counts characters from 0 in `source`."""

    def __init__(
        self, message: str, *, source: str, code: str = "", position: int | None = None
    ) -> None:
        super().__init__(message)
        self.source = source
        self.code = code
        self.position = position


class ConnectionUnusable(DrawloomError):
    """A connection is unknown, badly configured, or cannot be opened."""


class VaultUnusable(DrawloomError):
    """The vault's root key is missing, wrong or open to others, or what it keeps was altered."""


class AccessRefused(DrawloomError):
    """A person or a token may not do that, or not now; `failure` says why, `code` in one word."""

    def __init__(
        self,
        kind: FailureKind,
        code: str,
        message: str,
        retry_after: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.failure = Failure(kind, message, retry_after, {"code": code, **details}, True)


class ToolError(DrawloomError):
    """A tool call went wrong; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Overloaded(DrawloomError):
    """There is no room for another run now; `failure` is throttled, with `retry_after`."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.failure = Failure(FailureKind.THROTTLED, message, retry_after, harmless=True)


class RunFailed(DrawloomError):
    """A run that the caller waited for did not succeed; `result` is the whole outcome."""

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


class StateUnusable(DrawloomError):
    """A state directory is owned by another process, newer, damaged, full or missing."""


class JournalMismatch(DrawloomError):
    """A replayed history does not belong to this chain or these tools."""


class KernelMisuse(DrawloomError):
    """A driver fed the kernel an event that it cannot take: a bug."""


def invalid(message: str, **details: Any) -> ToolError:
    """A ready `ToolError` of kind invalid, for the commonest refusal of all."""
    return ToolError(Failure(FailureKind.INVALID, message, details=details or None))
