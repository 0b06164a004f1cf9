"""Name a vendor's exception by the connector's fault table."""

from __future__ import annotations

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk.connector import Fault, FaultTable

CUT = " […]"  # ends a message that was too long
_LONGEST_MESSAGE = 2_000


def name_fault(faults: FaultTable, exc: BaseException) -> Failure:
    """The `Failure` that *exc* means: by the table, else by Python's own kinds, else a defect."""
    if isinstance(exc, ToolError):
        return exc.failure
    for known in type(exc).__mro__:
        found = faults.get(f"{known.__module__}.{known.__qualname__}")
        if found is None:
            continue
        if isinstance(found, FailureKind):
            return Failure(found, _text(exc))
        if isinstance(found, Fault):
            return Failure(found.kind, _text(exc), harmless=found.harmless)
        return found(exc)
    return _of_python(exc)


def _of_python(exc: BaseException) -> Failure:
    match exc:
        case ConnectionRefusedError():
            return Failure(FailureKind.TRANSIENT, _text(exc), harmless=True)
        case TimeoutError():
            return Failure(FailureKind.TIMEOUT, _text(exc))
        case ConnectionError():
            return Failure(FailureKind.TRANSIENT, _text(exc))
        case _:
            details = {"exception": type(exc).__name__}
            return Failure(
                FailureKind.DEFECT, f"{type(exc).__name__}: {_text(exc)}", None, details
            )


def _text(exc: BaseException) -> str:
    text = str(exc) or type(exc).__name__
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + CUT
