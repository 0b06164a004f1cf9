"""What each error of MongoDB means, by the server's own code (its file error_codes.yml).

A statement that writes several documents is no transaction, so an error of the
server does not prove that nothing was changed. Proof is only that no server was
found, that none of the pool's connections came free, that the server takes no
writes now, or that it says so itself (NoWritesPerformed; an aborted transaction).
"""

from __future__ import annotations

from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Fault, FaultTable

_LONGEST_MESSAGE = 2_000
_PROVES = ("NoWritesPerformed", "TransientTransactionError")
_ASSERTION = 10_000  # codes from here on have no name of their own: the input was wrong

_CODES: dict[FailureKind, tuple[int, ...]] = {
    # BadValue, FailedToParse, TypeMismatch, Overflow, InvalidLength, IllegalOperation, PathNotViable,
    # ConflictingUpdateOperators, names of fields, ImmutableField, CannotCreateIndex, InvalidOptions,
    # InvalidNamespace, validation, views, memory limits, what this server does not know.
    FailureKind.INVALID: (
        *(2, 4, 9, 14, 15, 16, 17, 20, 28, 40, 52, 53, 54, 55, 56, 57, 59, 66, 67, 72, 73, 79),
        *(100, 115, 121, 123, 146, 160, 165, 166, 167, 168, 197, 224, 238, 241, 260, 263, 291),
        *(292, 303, 319, 5107200),
    ),
    FailureKind.DENIED: (11, 13, 18, 31, 33, 8000),
    FailureKind.MISSING: (26, 27),
    # Exists already, other options, the resume token is too old, an index is being built.
    FailureKind.CONFLICT: (48, 68, 85, 86, 276, 280, 286, 11000, 11001, 12582),
    FailureKind.TIMEOUT: (50, 262),
    FailureKind.THROTTLED: (202, 462),
    # Network, shutdown, elections, locks, CursorNotFound, WriteConflict, snapshots, disk, write concern.
    FailureKind.TRANSIENT: (
        *(6, 7, 24, 43, 46, 63, 64, 89, 91, 112, 133, 134, 136, 150, 175, 184, 189, 225, 234),
        *(237, 246, 251, 261, 317, 358, 9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435),
        *(13436, 14031),
    ),
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes}
_NO_WRITES_NOW = frozenset({10107, 13435})


def _by_code(exc: Any) -> Failure:
    """A failure of the kind that the server's code says, with what it tells of the place."""
    code = exc.code or 0
    kind = _KINDS.get(code)
    if kind is None:
        kind = FailureKind.INVALID if code >= _ASSERTION else FailureKind.DEFECT
    said = exc.details or {}
    message = said.get("errmsg") or str(exc)
    harmless = code in _NO_WRITES_NOW or any(map(exc.has_error_label, _PROVES))
    return Failure(kind, _short(message), details=_told(code, said), harmless=harmless)


def _many(exc: Any) -> Failure:
    """What the first refused write of several says, and how far the others came."""
    said = exc.details or {}
    refused = said.get("writeErrors") or said.get("writeConcernErrors") or [{}]
    first = refused[0]
    code = first.get("code", 0)
    counts = {name: said[name] for name in _COUNTS if said.get(name)}
    place = f"number {first['index']}: " if "index" in first else ""
    message = f"{place}{first.get('errmsg', exc)}"
    kind = _KINDS.get(code, FailureKind.INVALID if code >= _ASSERTION else FailureKind.DEFECT)
    return Failure(kind, _short(message), details={**_told(code, first), **counts})


_COUNTS = ("nInserted", "nUpserted", "nMatched", "nModified", "nRemoved")


def _told(code: int, said: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"code": code} if code else {}
    if said.get("codeName"):
        found["name"] = said["codeName"]
    if said.get("keyPattern"):
        found["key"] = list(said["keyPattern"])  # names of fields; their values may be secret
    return found


def _unreachable(exc: Any) -> Failure:
    """No server was found in time: nothing was sent."""
    text = _short(str(exc).partition(", Timeout:")[0])
    refused = "certificate verify failed" in text or "CERTIFICATE" in text
    kind = FailureKind.DENIED if refused else FailureKind.TRANSIENT
    return Failure(kind, text, harmless=True)


def _broken(exc: Any) -> Failure:
    """A connection that broke proves nothing, unless it was in a transaction not yet committed."""
    code = (exc.details or {}).get("code") if hasattr(exc, "details") else None
    harmless = code in _NO_WRITES_NOW or any(map(exc.has_error_label, _PROVES))
    return Failure(FailureKind.TRANSIENT, _short(str(exc)), harmless=harmless)


def _out_of_time(exc: Any) -> Failure:
    return Failure(FailureKind.TIMEOUT, _short(str(exc)))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " […]"


FAULTS: FaultTable = {
    "pymongo.errors.OperationFailure": _by_code,
    "pymongo.errors.BulkWriteError": _many,
    "pymongo.errors.ServerSelectionTimeoutError": _unreachable,
    "pymongo.errors.WaitQueueTimeoutError": Fault(FailureKind.THROTTLED, harmless=True),
    "pymongo.errors.NetworkTimeout": _out_of_time,
    "pymongo.errors.ExecutionTimeout": _out_of_time,
    "pymongo.errors.ConnectionFailure": _broken,
    "pymongo.errors.WTimeoutError": FailureKind.TRANSIENT,
    "pymongo.errors.ConfigurationError": FailureKind.INVALID,
    "pymongo.errors.InvalidOperation": FailureKind.INVALID,
    "pymongo.errors.InvalidName": FailureKind.INVALID,
    "pymongo.errors.CollectionInvalid": FailureKind.CONFLICT,
    "bson.errors.InvalidBSON": FailureKind.INVALID,
    "bson.errors.InvalidDocument": FailureKind.INVALID,
    "bson.errors.InvalidStringData": FailureKind.INVALID,
    "gridfs.errors.NoFile": FailureKind.MISSING,
    "gridfs.errors.FileExists": FailureKind.CONFLICT,
    "gridfs.errors.CorruptGridFile": FailureKind.CONFLICT,
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
}
