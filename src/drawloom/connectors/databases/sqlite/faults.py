"""What each error of SQLite means.

Every statement runs in a transaction that is rolled back when it fails, so an
error proves that nothing was changed: hence `harmless` where a retry can help.
"""

from __future__ import annotations

from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Fault, FaultTable

# SQLite tells a constraint by its extended result code (sqlite.org/rescode.html);
# here are those where the row itself is wrong, whatever else the table holds.
_ROW_IS_WRONG = {
    1299,  # SQLITE_CONSTRAINT_NOTNULL
    275,  # SQLITE_CONSTRAINT_CHECK
    3091,  # SQLITE_CONSTRAINT_DATATYPE
}


def _constraint(exc: Any) -> Failure:
    code = exc.extendedresult
    kind = FailureKind.INVALID if code in _ROW_IS_WRONG else FailureKind.CONFLICT
    return Failure(kind, str(exc), details={"code": code})


def _sql(exc: Any) -> Failure:
    """A table that is not there is missing; any other error of the SQL is the author's."""
    lost = str(exc).startswith("no such table")
    return Failure(FailureKind.MISSING if lost else FailureKind.INVALID, str(exc))


def _refused(exc: Any) -> Failure:
    hint = "ATTACH, VACUUM INTO, BEGIN, COMMIT, temporary tables and most PRAGMAs are refused"
    return Failure(FailureKind.DENIED, f"{exc}: {hint}")


_AGAIN = Fault(FailureKind.TRANSIENT, harmless=True)

FAULTS: FaultTable = {
    "apsw.AuthError": _refused,
    "apsw.BindingsError": FailureKind.INVALID,
    "apsw.BusyError": _AGAIN,
    "apsw.CantOpenError": FailureKind.MISSING,
    "apsw.ConstraintError": _constraint,
    "apsw.CorruptError": FailureKind.INVALID,
    "apsw.FullError": _AGAIN,
    "apsw.IOError": FailureKind.TRANSIENT,
    "apsw.InterruptError": Fault(FailureKind.TIMEOUT, harmless=True),
    "apsw.LockedError": _AGAIN,
    "apsw.MismatchError": FailureKind.INVALID,
    "apsw.NoMemError": _AGAIN,
    "apsw.NotADBError": FailureKind.INVALID,
    "apsw.PermissionsError": FailureKind.DENIED,
    "apsw.ReadOnlyError": FailureKind.DENIED,
    "apsw.SQLError": _sql,
    "apsw.SchemaChangeError": _AGAIN,
    "apsw.TooBigError": FailureKind.INVALID,
    "builtins.UnicodeDecodeError": FailureKind.INVALID,  # a TEXT that is not UTF-8
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
}
