"""Addresses of HTTP requests that cannot leave the origin they were given for.

An origin is scheme, host and port (RFC 6454). Only a connection names one; a
step gives a path and a query, and whatever in them could name another origin
is refused before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit

from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError, invalid

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")  # a path may hold spaces: they are encoded
_UNSAFE_PATH = re.compile(r"[\x00-\x1f\x7f\\]")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 3986, pchar and "/", and "%" for what is encoded already.
_PATH_SAFE = "/:@!$&'()*+,;=~%"
_LONGEST = 8_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go. `host` is lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as in a URL; the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Base:
    """The address of a service: an origin, and the path that all requests begin with."""

    origin: Origin
    path: str = ""

    @classmethod
    def parse(cls, url: str) -> Base:
        """Read a connection's base URL. Raises `ConnectionUnusable`."""
        split, problem = _split(url)
        if split is None:
            raise ConnectionUnusable(f"base_url {problem}")
        if split.query or split.fragment:
            raise ConnectionUnusable("base_url has no query and no fragment: leave them out")
        if wrong := _path_problem(split.path):
            raise ConnectionUnusable(f"base_url: the path {wrong}")
        return cls(_origin(split), _encoded(split.path).rstrip("/"))

    def target(self, path: str, query: Iterable[tuple[str, str]] = ()) -> str:
        """The request target (path and query) for *path* below the base.

        Raises `ToolError` (invalid) where *path* could lead elsewhere: another
        origin, dot segments, backslashes, control characters.
        """
        problem = _path_problem(path) or ("has a query: use `query`" if "?" in path else None)
        if problem:
            raise invalid(f"path {_shown(path)} {problem}", path="/path")
        joined = f"{self.path}/{_encoded(path).removeprefix('/')}" if path else self.path or "/"
        pairs = urlencode(list(query))
        return _short_enough(f"{joined}?{pairs}" if pairs else joined)

    def follow(self, link: str, target: str) -> str:
        """The request target that *link*, found in the answer to *target*, means.

        Raises `ToolError` (denied) where it leaves the origin.
        """
        origin, found = resolve_link(self.origin, link, target)
        if origin != self.origin:
            message = (
                f"the next link leads from {self.origin} to {origin}; "
                "a client never leaves its origin: make a connection for the other one"
            )
            raise ToolError(Failure(FailureKind.DENIED, message))
        return found


def resolve_link(origin: Origin, link: str, target: str) -> tuple[Origin, str]:
    """Resolve *link* (RFC 3986) against *target* at *origin*: the new origin and target."""
    if _UNSAFE.search(link) or not link.isascii():
        raise invalid(f"the service gave a link that is not a URL: {_shown(link)}")
    split, problem = _split(_joined(f"{origin}{target}", link))
    if split is None:
        raise invalid(f"the service gave a link that {problem}")
    path = split.path or "/"
    return _origin(split), _short_enough(f"{path}?{split.query}" if split.query else path)


def _joined(url: str, link: str) -> str:
    try:
        return urljoin(url, link)
    except ValueError:
        return link  # `_split` will say what is wrong with it


def _split(url: str) -> tuple[SplitResult | None, str]:
    """The parts of an absolute http(s) URL, or None and what is wrong with it."""
    # `urlsplit` drops tabs and newlines, so they must be found before it runs.
    if _UNSAFE.search(url):
        return None, "holds a space, control character or backslash"
    try:
        split = urlsplit(url)
        split.port  # noqa: B018 - reading it is what checks it
    except ValueError as exc:
        return None, f"is not a URL ({exc})"
    if split.scheme not in _PORTS:
        return None, "must begin with http:// or https://"
    if "@" in split.netloc:
        return None, "names a user: put the credentials into `auth`"
    if not _HOST.fullmatch(split.netloc.removesuffix(f":{split.port}").removesuffix(":")):
        return None, "has no proper host name (write international names as xn--…)"
    return split, ""


def _origin(split: SplitResult) -> Origin:
    port = split.port if split.port is not None else _PORTS[split.scheme]
    return Origin(split.scheme, (split.hostname or "").rstrip("."), port)


def _path_problem(path: str) -> str | None:
    if _UNSAFE_PATH.search(path):
        return "holds a control character or a backslash"
    if path.startswith("//") or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", path):
        return "names a host: the address belongs to the connection"
    if "#" in path:
        return "holds a #: write it as %23"
    if any(unquote(segment) in (".", "..") for segment in re.split(r"/|%2[fF]", path)):
        return "holds a dot segment"
    return None


def _encoded(path: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", path), safe=_PATH_SAFE)


def _short_enough(target: str) -> str:
    if len(target) > _LONGEST:
        raise invalid(
            f"path and query are {len(target)} characters long; the limit is {_LONGEST}: "
            "send long values in the body"
        )
    return target


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "…")
