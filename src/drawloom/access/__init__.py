"""Users, teams, roles, sessions, API tokens and their audit, without HTTP.

Nothing is done without a `Principal`, who is looked up again before each act; what is denied
is written down. May import `db` and `errors`.
"""

from __future__ import annotations

from drawloom.access.access import Access
from drawloom.access.aside import Aside
from drawloom.access.audit import Wanted
from drawloom.access.credentials import Shown
from drawloom.access.passwords import Cost
from drawloom.access.principal import Origin, Principal, Role
from drawloom.access.roles import HOME, Action, may
from drawloom.access.sessions import Lifetimes

__all__ = [
    "HOME",
    "Access",
    "Action",
    "Aside",
    "Cost",
    "Lifetimes",
    "Origin",
    "Principal",
    "Role",
    "Shown",
    "Wanted",
    "may",
]
