"""What aiohttp's exceptions mean: the failure, and whether anything can have happened."""

from __future__ import annotations

import aiohttp

from drawloom.doors.origins import Origin
from drawloom.doors.progress import Progress
from drawloom.errors import Failure, FailureKind, ToolError


def explain(exc: Exception, origin: Origin, progress: Progress) -> ToolError:
    """The `ToolError` for *exc*, which names the service and the stage."""
    kind, said = _kind(exc)
    message = f"{origin}: {said}" if kind is FailureKind.DENIED else _stage(origin, said, progress)
    return ToolError(Failure(kind, message, harmless=not progress.sent))


def _stage(origin: Origin, said: str, progress: Progress) -> str:
    return f"{origin}: {said} ({progress.stage})"


def _kind(exc: Exception) -> tuple[FailureKind, str]:
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            said = f"its certificate is not trusted: {exc.certificate_error}; see ca_file"
            return FailureKind.DENIED, said
        case aiohttp.ClientConnectorSSLError():
            return FailureKind.TRANSIENT, f"no TLS connection: {exc.os_error}"
        case aiohttp.ClientConnectorError() if isinstance(exc.os_error, PermissionError):
            return FailureKind.DENIED, str(exc.os_error)
        case aiohttp.ClientConnectorError():
            return FailureKind.TRANSIENT, exc.os_error.strerror or str(exc.os_error)
        case aiohttp.ServerTimeoutError():
            return FailureKind.TIMEOUT, "no connection in time"
        case aiohttp.InvalidURL():
            return FailureKind.INVALID, f"not a URL that can be requested: {exc.description}"
        case aiohttp.ClientResponseError():
            return FailureKind.INVALID, f"its answer is not proper HTTP: {_one_line(exc.message)}"
        case aiohttp.ClientPayloadError():
            return FailureKind.TRANSIENT, "the body of the answer ends in the middle"
        case aiohttp.ServerDisconnectedError():
            return FailureKind.TRANSIENT, "the service closed the connection without an answer"
        case _:
            return FailureKind.TRANSIENT, f"the connection was lost: {exc}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
