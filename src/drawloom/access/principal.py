"""For whom something is done, and from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

LONGEST: Final = 200  # characters of a user agent or address


class Role(StrEnum):
    """What somebody is in a team, from the least to the most."""

    VIEWER = "viewer"
    RUNNER = "runner"
    AUTHOR = "author"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for a viewer. Roles are compared by this: as texts they sort by the alphabet."""
        return list(Role).index(self)


class Via(StrEnum):
    """How somebody is known."""

    NOBODY = "nobody"  # not at all
    TERMINAL = "terminal"  # a user of the machine, who could read the files anyway
    SESSION = "session"
    TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Origin:
    """From where: the *address* and the user agent as it was said, cut to 200 characters."""

    address: str = ""
    agent: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", plain(self.address))
        object.__setattr__(self, "agent", plain(self.agent))

    @property
    def network(self) -> str:
        """What counts as one place: an IPv4 address, or the first 64 bits of an IPv6 one."""
        try:
            found = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return self.address
        if isinstance(found, ipaddress.IPv4Address):
            return str(found)
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. What is stored counts: roles and scopes are read again before each act."""

    tenant: str = "default"
    user: str = ""
    name: str = ""
    via: Via = Via.NOBODY
    credential: str = ""  # the id of the session or token
    roles: Mapping[str, Role] = field(default_factory=dict)  # by team
    scopes: frozenset[str] | None = None  # actions; None: all that the roles grant
    origin: Origin = field(default_factory=Origin)

    @classmethod
    def nobody(cls, origin: Origin, tenant: str = "default") -> Principal:
        """Somebody who has not signed in."""
        return cls(tenant=tenant, origin=origin)

    @classmethod
    def terminal(cls, name: str, tenant: str = "default") -> Principal:
        """A user of this machine, by name. May make the link of the first owner, and no more."""
        return cls(tenant=tenant, name=name, via=Via.TERMINAL)

    @property
    def through(self) -> str:
        """How it is known, for the audit: `session:ID`."""
        return f"{self.via}:{self.credential}" if self.credential else str(self.via)


def plain(text: str) -> str:
    """*text* from outside as it may be written down: printable, and where it is cut, with `…`."""
    printable = "".join(c if c.isprintable() else "?" for c in text[: LONGEST + 1])
    return printable if len(printable) <= LONGEST else f"{printable[:LONGEST]}…"
