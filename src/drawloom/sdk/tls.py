"""Transport encryption of connections that are no HTTP: one rule for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from drawloom.errors import ConnectionUnusable

if TYPE_CHECKING:
    import ssl

#: `require` encrypts and trusts anybody; `verify-ca` wants a certificate of a trusted
#: authority; `verify-full` wants it to be of this host, too.
Tls: TypeAlias = Literal["off", "require", "verify-ca", "verify-full"]

MODES: Final[tuple[Tls, ...]] = get_args(Tls)  # the weakest first

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(host: str) -> bool:
    """Whether *host* is this machine: its loopback interface, or a socket's path."""
    return host in _LOCAL or host.startswith("/")


def tls_mode(mode: Tls | None, host: str) -> Tls:
    """*mode*; without one verify-full, or off where *host* is this machine."""
    return mode or ("off" if is_local(host) else "verify-full")


def tls_context(
    mode: Tls | None, host: str, ca_file: str | None, root: Path
) -> ssl.SSLContext | None:
    """What encrypts a connection to *host*; None where it is not encrypted.

    A relative *ca_file* begins in *root*. Raises `ConnectionUnusable` where it cannot be read.
    """
    import ssl

    mode = tls_mode(mode, host)
    if mode == "off":
        return None
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else root / ca_file)
    except OSError as exc:
        raise ConnectionUnusable(f"ca_file {ca_file!r}: {exc.strerror or exc}") from None
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
