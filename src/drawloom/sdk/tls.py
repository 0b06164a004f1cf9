"""Transport encryption of connections that are no HTTP: one rule for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from drawloom.errors import ConnectionUnusable

if TYPE_CHECKING:
    import ssl

#: `require` encrypts and trusts anybody; `verify-ca` wants a certificate of a trusted
#: authority; `verify-full` wants it to be of this host, too.
Tls: TypeAlias = Literal["off", "require", "verify-ca", "verify-full"]

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(host: str) -> bool:
    """Whether *host* is this machine: its loopback interface, or a socket's path."""
    return host in _LOCAL or host.startswith("/")


def tls_context(
    mode: Tls | None, host: str, ca_file: str | None, root: Path
) -> ssl.SSLContext | None:
    """What encrypts a connection to *host*; None where it is not encrypted.

    Without a *mode* it is verify-full, or off where the host is this machine. A relative
    *ca_file* begins in *root*. Raises `ConnectionUnusable` where it cannot be read.
    """
    import ssl

    mode = mode or ("off" if is_local(host) else "verify-full")
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
