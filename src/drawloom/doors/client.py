"""An HTTP client bound to one origin, which alone is given the credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import quote_plus, unquote_plus, urlencode

from drawloom.doors.headers import Headers, checked_headers, first
from drawloom.doors.meter import note_quota
from drawloom.doors.origins import Base, Origin, resolve_link
from drawloom.doors.progress import Progress
from drawloom.doors.quotas import announced
from drawloom.errors import Failure, FailureKind, ToolError, invalid

Pairs: TypeAlias = Iterable[tuple[str, str]]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What may go along to another origin: nothing that could name or prove a person.
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "user-agent"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost. Times in seconds, sizes in bytes.

    `timeout` is the total: connecting, redirects, and the last byte.
    `max_bytes` bounds a body before and after decompression, and what is sent.
    """

    timeout: float = 30.0
    max_bytes: int = 10 * 1024 * 1024
    max_redirects: int = 0


@dataclass(frozen=True, slots=True)
class Tls:
    """How the service proves who it is. `ca_file` adds a certificate authority (PEM)."""

    verify: bool = True
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers and query parameters that prove who asks; sent to one origin alone.

    `plain` are headers that are no secret, but go to that origin alone as well.
    """

    headers: Headers = field(default=(), repr=False)
    query: Headers = field(default=(), repr=False)
    plain: Headers = ()

    @property
    def names(self) -> frozenset[str]:
        """The headers (lower case) that nobody else may set."""
        return frozenset(name.lower() for name, _ in self.headers)

    def redact(self, text: str) -> str:
        """*text* with every credential in it, in clear or URL-encoded, replaced by `***`."""
        for _, value in (*self.headers, *self.query):
            secrets = {value, value.rpartition(" ")[2]}
            for secret in sorted(secrets | {quote_plus(s) for s in secrets}, key=len)[::-1]:
                # A secret this short would wipe out ordinary words, and is none.
                if len(secret) > 3:
                    text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request as the transport sends it.

    `fresh` asks for a connection never used before. `strayed` is True once a
    redirect has led to another origin: who leads back chooses what is asked
    for, so that credentials are not added again.
    """

    method: str
    origin: Origin
    target: str
    headers: Headers = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    fresh: bool = False
    strayed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case; `body` is decompressed.

    `url` is without credentials; `tls` is the protocol version, None over
    plain HTTP; `seconds` is the time from the request to the last byte.
    """

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    url: str = ""
    tls: str | None = None
    seconds: float = 0.0

    def header(self, name: str) -> str | None:
        """The first header called *name* (lower case), or None."""
        return first(self.headers, name)


class Transport(Protocol):
    """What carries a request to a judged address and reads the answer within the limits."""

    async def send(self, request: Outgoing, progress: Progress) -> Answer: ...


class HttpClient:
    """Sends requests to one origin, within limits. Made by `Egress.http`."""

    __slots__ = ("_credential", "_transport", "base", "limits")

    def __init__(
        self, base: Base, transport: Transport, credential: Credential, limits: Limits
    ) -> None:
        self.base = base
        self.limits = limits
        self._credential = credential
        self._transport = transport

    def redact(self, text: str) -> str:
        """*text* without this client's credentials: for answers that are shown to people."""
        return self._credential.redact(text)

    def follow(self, link: str, target: str) -> str:
        """The target that *link*, found in the answer to *target*, means; without credentials.

        Raises `ToolError` (denied) where it leaves the origin.
        """
        path, mark, query = self.base.follow(link, target).partition("?")
        ours = {name for name, _ in self._credential.query}
        kept = [
            pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in ours
        ]
        return path + mark + "&".join(kept) if kept else path

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: Pairs = (),
        body: bytes | None = None,
        fresh: bool = False,
    ) -> Answer:
        """Send one request to *target*, which comes from `base.target` or `base.follow`.

        *fresh* is for requests that must not be made twice: they go over a new
        connection, since one that was kept may be closed just as it is used,
        which would leave the outcome unknown, and are never sent again unasked.
        Any status is an answer. Raises `ToolError`: timeout, transient, denied
        or invalid, `harmless` where nothing was sent.
        """
        given = checked_headers(headers, self._credential.names)
        if body is not None and len(body) > self.limits.max_bytes:
            raise invalid(
                f"the body is {len(body)} bytes; the connection's max_bytes is "
                f"{self.limits.max_bytes}"
            )
        request = Outgoing(method, self.base.origin, target, given, body, fresh)
        progress = Progress()
        try:
            async with asyncio.timeout(self.limits.timeout):
                return await self._follow(request, progress)
        except TimeoutError:
            message = (
                f"no whole answer from {self.base.origin} within {self.limits.timeout:g} s "
                f"({progress.stage}); raise the connection's timeout if it needs longer"
            )
            failure = Failure(FailureKind.TIMEOUT, message, harmless=not progress.sent)
            raise ToolError(failure) from None

    async def _follow(self, request: Outgoing, progress: Progress) -> Answer:
        seen = 0
        while True:
            answer = await self._transport.send(self._attach(request), progress)
            answer = replace(answer, url=f"{request.origin}{request.target}")
            if request.origin == self.base.origin:
                note_quota(announced(answer.headers))
            location = answer.header("location")
            if (
                answer.status not in _REDIRECTS
                or location is None
                or not self.limits.max_redirects
            ):
                return answer
            seen += 1
            if seen > self.limits.max_redirects:
                raise invalid(
                    f"more than {self.limits.max_redirects} redirects, "
                    f"the last to {self.redact(location)!r}"
                )
            request = _redirected(request, answer.status, location)

    def _attach(self, request: Outgoing) -> Outgoing:
        """Add the credentials, if this is the origin that they are for."""
        if request.strayed or request.origin != self.base.origin:
            return request
        target = request.target
        if self._credential.query:
            mark = "&" if "?" in target else "?"
            target += mark + urlencode(self._credential.query)
        given = {name.lower() for name, _ in request.headers}
        plain = [(n, v) for n, v in self._credential.plain if n.lower() not in given]
        headers = (*plain, *request.headers, *self._credential.headers)
        return replace(request, target=target, headers=headers)


def _redirected(request: Outgoing, status: int, location: str) -> Outgoing:
    """The request that a redirect asks for (RFC 9110, 15.4)."""
    origin, target = resolve_link(request.origin, location, request.target)
    method, body, headers = request.method, request.body, request.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = tuple((n, v) for n, v in headers if not n.lower().startswith("content-"))
    if origin != request.origin:
        _may_leave(request.origin, origin, body)
        headers = tuple((n, v) for n, v in headers if n.lower() in _HARMLESS_HEADERS)
    strayed = request.strayed or origin != request.origin
    return Outgoing(method, origin, target, headers, body, request.fresh, strayed)


def _may_leave(old: Origin, new: Origin, body: bytes | None) -> None:
    if old.scheme == "https" and new.scheme != "https":
        problem = "without encryption"
    elif body is not None:
        problem = "with the body of the request"
    else:
        return
    message = f"a redirect leads from {old} to {new} {problem}; it is not followed"
    raise ToolError(Failure(FailureKind.DENIED, message))
