"""How a connector reaches its service: typed settings that know how to open a client."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from drawloom.doors.origins import Base
from drawloom.sdk.tls import Tls, tls_mode

if TYPE_CHECKING:
    from drawloom.doors import Doors


class Connection(BaseModel):
    """Base of every connection's settings. Secrets are `Secret` references.

    The vendor's library is imported inside `open`, never at the top of a module.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def open(self, doors: Doors) -> AbstractAsyncContextManager[Any]:
        """Open the client or pool; the runtime keeps it, shares it and closes it."""
        raise NotImplementedError

    def look(self, doors: Doors) -> AbstractAsyncContextManager[Any]:
        """Open what planners look through: the client, unless opening one changes something."""
        return self.open(doors)

    def destination(self) -> str:
        """Where its secrets are sent to: `scheme://host:port` of a URL, `host:port`.

        Of a kind that has neither, all its settings but the secrets. Override it
        where that is too much.
        """
        given = {name: getattr(self, name) for name in type(self).model_fields}
        if isinstance(url := given.get("base_url"), str):
            return str(Base.parse(url).origin)
        if isinstance(host := given.get("host"), str):
            return f"{host}:{given['port']}" if "port" in given else host
        plain = {n: v for n, v in given.items() if isinstance(v, (str, int, float))}
        return " ".join(f"{name}={value}" for name, value in plain.items())

    def protection(self) -> tuple[Tls, str | None]:
        """How its secrets are protected on their way, and the file of who vouches for the service.

        Of a kind that has no TLS of its own, `off`. Override it where the fields `tls`
        (or `verify_tls` of a URL) and `ca_file` do not say it.
        """
        given = {name: getattr(self, name) for name in type(self).model_fields}
        mode: Tls = "off"
        if isinstance(url := given.get("base_url"), str):
            verified = given.get("verify_tls", True)
            if Base.parse(url).origin.scheme == "https":
                mode = "verify-full" if verified else "require"
        elif isinstance(host := given.get("host"), str) and "tls" in given:
            mode = tls_mode(given["tls"], host)
        return mode, given.get("ca_file")

    async def check(self, client: Any) -> dict[str, Any]:
        """Ask the service how it is; what it says (server, version) is shown to people."""
        return {}
