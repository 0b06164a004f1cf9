"""What each error of the server means, by the word that its reply begins with.

A command is atomic: an error reply proves that it changed nothing, hence `harmless`
where a retry can help. A connection that broke proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Fault, FaultTable

_LONGEST_MESSAGE = 2_000

_AGAIN = Fault(FailureKind.TRANSIENT, harmless=True)
_INVALID = Fault(FailureKind.INVALID)
_MISSING = Fault(FailureKind.MISSING)

# Replies for which the driver has no exception of its own.
_BY_WORD: Mapping[str, Fault] = {
    "WRONGTYPE": Fault(FailureKind.CONFLICT),  # the key holds another kind of value
    "BUSYGROUP": Fault(FailureKind.CONFLICT),
    "BUSYKEY": Fault(FailureKind.CONFLICT),
    "NOGROUP": _MISSING,
    "UNBLOCKED": _AGAIN,
    "MISCONF": _AGAIN,  # it cannot save to its disk, and so takes no writes
    "NOREPLICAS": _AGAIN,
    "BUSY": _AGAIN,  # a script holds the server
    "NOPROTO": _INVALID,
    "ERR": _INVALID,
}
_LIMIT = Fault(FailureKind.THROTTLED, harmless=True)


def by_word(exc: Any) -> Failure:
    """A failure of the kind that the first word of the reply means."""
    text = str(exc)
    # The driver takes the word off the text where it knows it.
    meant = _BY_WORD.get(exc.status_code or text.partition(" ")[0])
    if meant is None:
        return _told(Fault(FailureKind.DEFECT), text)
    # The one plain ERR that the data cannot help: there is nothing of that name.
    if text.startswith("no such key"):
        meant = _MISSING
    return _told(meant, text)


def _broken(exc: Any) -> Failure:
    """The driver has one class for a line that broke and for a server that is full."""
    text = str(exc)
    full = "max number of clients" in text
    return _told(_LIMIT if full else Fault(FailureKind.TRANSIENT), text)


def _told(meant: Fault, text: str) -> Failure:
    if len(text) > _LONGEST_MESSAGE:
        text = text[:_LONGEST_MESSAGE] + " […]"
    return Failure(meant.kind, text, harmless=meant.harmless)


FAULTS: FaultTable = {
    # The driver's own refusals.
    "redis.exceptions.DataError": FailureKind.INVALID,
    "redis.exceptions.InvalidResponse": FailureKind.TRANSIENT,
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
    # Reaching the server, and being let in.
    "socket.gaierror": _AGAIN,
    "ssl.SSLCertVerificationError": Fault(FailureKind.DENIED, harmless=True),
    "redis.exceptions.ConnectionError": _broken,
    "redis.exceptions.TimeoutError": FailureKind.TIMEOUT,
    "redis.exceptions.AuthenticationError": Fault(FailureKind.DENIED, harmless=True),
    "redis.exceptions.AuthenticationWrongNumberOfArgsError": FailureKind.DENIED,
    "redis.exceptions.NoPermissionError": FailureKind.DENIED,
    "redis.exceptions.BusyLoadingError": _AGAIN,
    # It takes no writes now, or from nobody.
    "redis.exceptions.ReadOnlyError": Fault(FailureKind.DENIED, harmless=True),
    "redis.exceptions.OutOfMemoryError": _AGAIN,
    "redis.exceptions.MasterDownError": _AGAIN,
    "redis.exceptions.ClusterDownError": _AGAIN,
    "redis.exceptions.TryAgainError": _AGAIN,
    "redis.exceptions.MovedError": FailureKind.INVALID,  # a cluster, which this is not for
    "redis.exceptions.AskError": FailureKind.INVALID,
    "redis.exceptions.ClusterCrossSlotError": FailureKind.INVALID,
    # The command is wrong, or what it is for is not there.
    "redis.exceptions.ExecAbortError": FailureKind.INVALID,
    "redis.exceptions.NoScriptError": FailureKind.MISSING,
    "redis.exceptions.ModuleError": FailureKind.INVALID,
    "redis.exceptions.ResponseError": by_word,
}
