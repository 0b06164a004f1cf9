"""How a connector reaches its service: typed settings that know how to open a client."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

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

    async def check(self, client: Any) -> dict[str, Any]:
        """Ask the service how it is; what it says (server, version) is shown to people."""
        return {}
