"""What each error of PostgreSQL means, by SQLSTATE class (its manual, appendix A).

A statement runs in a transaction that is rolled back when it fails, so an error
that the server reports proves that nothing was changed: hence `harmless` where
a retry can help. A connection that broke proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Fault, FaultTable

_LONGEST_MESSAGE = 2_000
_TOLD = ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name", "position")


def _told(
    kind: FailureKind, *, harmless: bool = False, hint: str = ""
) -> Callable[[Any], Failure]:
    """A failure of that kind, with what the server says about the place."""

    def make(exc: Any) -> Failure:
        said = {name: getattr(exc, name, None) for name in _TOLD}
        details = {name: value for name, value in said.items() if value is not None}
        text = str(exc)
        if len(text) > _LONGEST_MESSAGE:
            text = text[:_LONGEST_MESSAGE] + " […]"
        return Failure(kind, text + hint, details=details or None, harmless=harmless)

    return make


_INVALID = _told(FailureKind.INVALID)
_DENIED = _told(FailureKind.DENIED)
_MISSING = _told(FailureKind.MISSING)
_CONFLICT = _told(FailureKind.CONFLICT)
_AGAIN = _told(FailureKind.TRANSIENT, harmless=True)
_BROKEN = _told(FailureKind.TRANSIENT)
_READ_ONLY = _told(
    FailureKind.DENIED, hint="; postgresql.query only reads, postgresql.execute writes"
)
# Where a transaction may write, only the server itself can be what does not.
STANDBY = _told(
    FailureKind.DENIED,
    harmless=True,
    hint="; this server takes no writes: it is a standby, or set to read-only",
)

FAULTS: FaultTable = {
    # The driver's own refusals.
    "asyncpg.exceptions._base.DataError": _INVALID,
    "asyncpg.exceptions._base.InterfaceError": FailureKind.TRANSIENT,
    # What it says when the server's last word comes just as a statement begins.
    "asyncpg.exceptions._base.InternalClientError": FailureKind.TRANSIENT,
    "asyncpg.exceptions._base.UnsupportedClientFeatureError": FailureKind.INVALID,
    "asyncpg.exceptions._base.UnsupportedServerFeatureError": FailureKind.INVALID,
    "asyncpg.exceptions._base.ClientConfigurationError": FailureKind.INVALID,
    "asyncpg.exceptions._base.OutdatedSchemaCacheError": Fault(FailureKind.TRANSIENT, True),
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
    # Reaching the server, and being let in.
    "socket.gaierror": Fault(FailureKind.TRANSIENT, harmless=True),
    "ssl.SSLCertVerificationError": Fault(FailureKind.DENIED, harmless=True),
    "asyncpg.exceptions.PostgresConnectionError": _BROKEN,
    "asyncpg.exceptions.InvalidAuthorizationSpecificationError": _DENIED,
    "asyncpg.exceptions.InvalidCatalogNameError": _MISSING,
    "asyncpg.exceptions.CannotConnectNowError": _AGAIN,
    "asyncpg.exceptions.TooManyConnectionsError": _told(FailureKind.THROTTLED, harmless=True),
    # 57: somebody or something ended it. The end may have come after the commit.
    "asyncpg.exceptions.OperatorInterventionError": _BROKEN,
    "asyncpg.exceptions.QueryCanceledError": _told(FailureKind.TIMEOUT, harmless=True),
    # 53 and 58: the server is short of something, or its system fails.
    "asyncpg.exceptions.InsufficientResourcesError": _AGAIN,
    "asyncpg.exceptions.PostgresSystemError": _BROKEN,
    "asyncpg.exceptions.UndefinedFileError": _MISSING,
    # 40: rolled back, and not for the statement's own sake.
    "asyncpg.exceptions.TransactionRollbackError": _AGAIN,
    "asyncpg.exceptions.TransactionIntegrityConstraintViolationError": _CONFLICT,
    "asyncpg.exceptions.StatementCompletionUnknownError": _BROKEN,
    # 55: something is in the way.
    "asyncpg.exceptions.ObjectNotInPrerequisiteStateError": _CONFLICT,
    "asyncpg.exceptions.LockNotAvailableError": _AGAIN,
    "asyncpg.exceptions.InvalidCachedStatementError": _AGAIN,
    # 23: the data says no. What only the row can mend is invalid.
    "asyncpg.exceptions.IntegrityConstraintViolationError": _CONFLICT,
    "asyncpg.exceptions.NotNullViolationError": _INVALID,
    "asyncpg.exceptions.CheckViolationError": _INVALID,
    "asyncpg.exceptions.WithCheckOptionViolationError": _DENIED,
    # 42: a table, schema or type is a thing of the database, which may be
    # missing; a column or function that is not there makes the statement wrong.
    "asyncpg.exceptions.SyntaxOrAccessError": _INVALID,
    "asyncpg.exceptions.InsufficientPrivilegeError": _DENIED,
    "asyncpg.exceptions.UndefinedTableError": _MISSING,
    "asyncpg.exceptions.UndefinedObjectError": _MISSING,
    "asyncpg.exceptions.InvalidSchemaNameError": _MISSING,
    "asyncpg.exceptions.DuplicateTableError": _CONFLICT,
    "asyncpg.exceptions.DuplicateObjectError": _CONFLICT,
    "asyncpg.exceptions.DuplicateSchemaError": _CONFLICT,
    "asyncpg.exceptions.DuplicateDatabaseError": _CONFLICT,
    "asyncpg.exceptions.DuplicateColumnError": _CONFLICT,
    "asyncpg.exceptions.DuplicateFunctionError": _CONFLICT,
    # The statement or its values are wrong in some other way.
    "asyncpg.exceptions.DataError": _INVALID,
    "asyncpg.exceptions.CardinalityViolationError": _INVALID,
    "asyncpg.exceptions.FeatureNotSupportedError": _INVALID,
    "asyncpg.exceptions.InvalidTransactionStateError": _INVALID,
    "asyncpg.exceptions.InvalidTransactionTerminationError": _INVALID,
    "asyncpg.exceptions.ReadOnlySQLTransactionError": _READ_ONLY,
    "asyncpg.exceptions.IdleInTransactionSessionTimeoutError": _BROKEN,
    "asyncpg.exceptions.ProgramLimitExceededError": _INVALID,
    "asyncpg.exceptions.DependentPrivilegeDescriptorsStillExistError": _CONFLICT,
    "asyncpg.exceptions.PLPGSQLError": _INVALID,  # RAISE EXCEPTION of a function
    "asyncpg.exceptions.TriggeredActionError": _INVALID,
    "asyncpg.exceptions.FDWError": _BROKEN,
}
