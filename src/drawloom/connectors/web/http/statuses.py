"""What a status says, as a failure: of which kind, when to try again, and what was answered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from drawloom.sdk import Failure, FailureKind, ToolError
from drawloom.sdk.doors import Answer, HttpClient

# RFC 9110, 15; RFC 6585 (429), RFC 8470 (425), RFC 4918 (423), RFC 7725 (451).
_KINDS = {
    401: FailureKind.DENIED,
    402: FailureKind.DENIED,
    403: FailureKind.DENIED,
    404: FailureKind.MISSING,
    407: FailureKind.DENIED,
    408: FailureKind.TIMEOUT,
    409: FailureKind.CONFLICT,
    410: FailureKind.MISSING,
    412: FailureKind.CONFLICT,
    423: FailureKind.CONFLICT,
    425: FailureKind.THROTTLED,
    429: FailureKind.THROTTLED,
    451: FailureKind.DENIED,
}
_SHOWN = 1_000


def refuse(client: HttpClient, answer: Answer, accept: Collection[int]) -> None:
    """Raise `ToolError` unless the status is a success (2xx) or one of *accept*."""
    if 200 <= answer.status < 300 or answer.status in accept:
        return
    wait = retry_after(answer)
    details: dict[str, Any] = {"status": answer.status, "url": answer.url}
    if body := client.redact(_beginning(answer.body)):
        details["body"] = body
    message = f"{answer.url} answered {answer.status}{_advice(client, answer)}"
    raise ToolError(Failure(_kind(answer.status, wait), message, wait, details))


def _kind(status: int, wait: float | None) -> FailureKind:
    if status == 503 and wait is not None:
        return FailureKind.THROTTLED
    if status >= 500:
        return FailureKind.TRANSIENT
    return _KINDS.get(status, FailureKind.INVALID)


def _advice(client: HttpClient, answer: Answer) -> str:
    location = answer.header("location")
    if 300 <= answer.status < 400 and location is not None:
        return (
            f", a redirect to {client.redact(location)!r}: use that address, or let the "
            "connection follow `redirects`"
        )
    first = client.redact(_beginning(answer.body)).strip().partition("\n")[0]
    return f": {first[:200]}" if first else ""


def _beginning(body: bytes) -> str:
    """The first characters of *body* as text; binary is only counted."""
    text = body[: _SHOWN * 4].decode("utf-8", "replace")
    if "\x00" in text:
        return f"({len(body)} bytes that are no text)"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " […]"


def retry_after(answer: Answer) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3), or None.

    A date counts from the Date of the answer, so that a wrong clock on either
    side does no harm.
    """
    value = (answer.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until = _date(value)
    if until is None:
        return None
    since = _date(answer.header("date") or "") or datetime.now(UTC)
    return max(0.0, (until - since).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
