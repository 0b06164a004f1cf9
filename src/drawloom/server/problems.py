"""What goes wrong, as `application/problem+json` (RFC 9457): a code, words, and the field."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from drawloom.errors import (
    AccessRefused,
    ChainInvalid,
    ConnectionUnusable,
    DrawloomError,
    FailureKind,
    Overloaded,
    StateUnusable,
    ValueInvalid,
    VaultUnusable,
)

_LOG = logging.getLogger("drawloom.server")
_MOST_FAULTS = 50
_CODES = {404: "missing", 405: "method", 406: "not-acceptable", 415: "media-type"}


_SCHEMA = {
    "type": "object",
    "required": ["status", "code", "detail"],
    "properties": {
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs; it stays."},
        "detail": {"type": "string", "description": "For people."},
        "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) of the field."},
        "faults": {"type": "array", "items": {"type": "object"}},
        "findings": {"type": "array", "items": {"type": "object"}},
    },
}
_SAYS = {
    400: "The request cannot be read",
    401: "Nobody has signed in",
    403: "It may not be done",
    404: "There is no such thing",
    409: "The present state does not allow it",
    413: "The body is too large",
    421: "This server has another name",
    422: "What was sent does not fit",
    429: "There is no room now",
    503: "It cannot be done now",
}
# For the API's description: what any route may answer besides what it is for.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"description": says, "content": {"application/problem+json": {"schema": _SCHEMA}}}
    for status, says in _SAYS.items()
}


class Problem(Exception):
    """An answer that says what is wrong: *code* for programs, *detail* for people.

    *pointer* is the JSON Pointer of the field, "" where it is none in particular.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        pointer: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.pointer, self.headers, self.more = pointer, headers, more

    def answer(self) -> JSONResponse:
        """The HTTP answer."""
        body = {"status": self.status, "code": self.code, "detail": self.detail, **self.more}
        if self.pointer:
            body["pointer"] = self.pointer
        return JSONResponse(
            body, self.status, dict(self.headers or {}), media_type="application/problem+json"
        )


def missing(what: str) -> Problem:
    """There is no such thing, or none that this person may see."""
    return Problem(404, "missing", what)


def problem_of(exc: DrawloomError) -> Problem:
    """What an error of the product is over HTTP."""
    match exc:
        case ChainInvalid():
            found = [asdict(finding) for finding in exc.findings[:_MOST_FAULTS]]
            return Problem(422, exc.code or "chain-invalid", str(exc), findings=found)
        case ValueInvalid():
            return Problem(422, "invalid", exc.reason, pointer=exc.path)
        case AccessRefused():
            return _refusal(exc)
        case Overloaded():
            wait = exc.failure.retry_after or 1.0
            told = {"Retry-After": str(max(1, round(wait)))}
            return Problem(429, "overloaded", str(exc), headers=told)
        case ConnectionUnusable():
            return Problem(409, "connection-unusable", str(exc))
        case StateUnusable() | VaultUnusable():
            return Problem(503, "state-unusable", str(exc), headers={"Retry-After": "5"})
        case _:
            return Problem(422, "invalid", str(exc))


_REFUSED = {
    FailureKind.INVALID: 422,
    FailureKind.MISSING: 404,
    FailureKind.CONFLICT: 409,
    FailureKind.THROTTLED: 429,
}


def _refusal(exc: AccessRefused) -> Problem:
    failure = exc.failure
    headers = {}
    status = _REFUSED.get(failure.kind, 403)
    if exc.code == "not-signed-in":
        status, headers["WWW-Authenticate"] = 401, "Bearer"
    if failure.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(failure.retry_after)))
    return Problem(status, exc.code, failure.message, headers=headers)


def install(app: FastAPI) -> None:
    """Have every error of *app* answered as a problem."""

    @app.exception_handler(Problem)
    async def _(request: Request, exc: Problem) -> JSONResponse:
        return exc.answer()

    @app.exception_handler(DrawloomError)
    async def _(request: Request, exc: DrawloomError) -> JSONResponse:
        return problem_of(exc).answer()

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, exc: RequestValidationError) -> JSONResponse:
        faults = [_fault(fault) for fault in exc.errors()[:_MOST_FAULTS]]
        first = faults[0] if faults else {"pointer": "", "detail": "the request is malformed"}
        detail = f"{first['pointer'] or 'the request'}: {first['detail']}"
        return Problem(422, "malformed", detail, pointer=first["pointer"], faults=faults).answer()

    @app.exception_handler(HTTPException)
    async def _(request: Request, exc: HTTPException) -> JSONResponse:
        code = _CODES.get(exc.status_code, "http")
        return Problem(exc.status_code, code, str(exc.detail), headers=exc.headers).answer()

    @app.exception_handler(Exception)
    async def _(request: Request, exc: Exception) -> JSONResponse:
        _LOG.exception("%s %s failed", request.method, request.url.path, exc_info=exc)
        return Problem(500, "defect", "a fault of Drawloom; the server's log has it").answer()


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    where, *path = fault["loc"]
    pointer = "".join(f"/{part}" for part in path) if where == "body" else f"{where}.{path[-1]}"
    return {"pointer": pointer, "detail": str(fault["msg"])}
