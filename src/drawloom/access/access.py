"""All of the room, over one file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from drawloom.access.accounts import Accounts
from drawloom.access.audit import Audit, Checked, Entry, Head, Wanted
from drawloom.access.credentials import Entropy
from drawloom.access.guard import Guard
from drawloom.access.joining import Joining
from drawloom.access.logins import Logins
from drawloom.access.pages import Page
from drawloom.access.passwords import Cost, Passwords
from drawloom.access.principal import LONGEST, Principal
from drawloom.access.roles import HOME, Action
from drawloom.access.sessions import Lifetimes, Sessions
from drawloom.access.store import Store
from drawloom.access.teams import Teams
from drawloom.access.tokens import Tokens
from drawloom.errors import AccessRefused, FailureKind

_ANYTHING: Final = Wanted()
_LONGEST_TOLD: Final = 4096


class Access:
    """People, teams, roles, sessions, tokens and the audit of the folder *folder*.

    *now* gives microseconds since 1970, *entropy* that many random bytes. Making one reads
    nothing. Threads may share it. Nothing here is done without a `Principal`.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], int],
        entropy: Entropy,
        cost: Cost | None = None,
        lifetimes: Lifetimes | None = None,
    ) -> None:
        self._store = Store(folder, now, entropy)
        self._audit = Audit(self._store)
        self._guard = Guard(self._store, self._audit)
        self.passwords = Passwords(cost or Cost(), entropy)
        self.sessions = Sessions(self._guard, lifetimes or Lifetimes())
        self.logins = Logins(self._guard, self.sessions, self.passwords)
        self.joining = Joining(self._guard, self.sessions, self.passwords)
        self.tokens = Tokens(self._guard)
        self.teams = Teams(self._guard)
        self.accounts = Accounts(self._guard)

    def require(
        self, principal: Principal, action: Action, team: str, what: str = ""
    ) -> Principal:
        """The principal as it is now, which may do *action* on *what*. For what other rooms do.

        Raises `AccessRefused` (denied), and writes the attempt into the audit.
        """
        return self._guard.require(principal, action, team, what)

    def did(
        self,
        principal: Principal,
        action: Action,
        team: str,
        what: str,
        details: Mapping[str, str | int] | None = None,
    ) -> int:
        """Write down a change that another room is to make; the number of the entry.

        Raises `AccessRefused`: denied; invalid where what there is to say is over 4 kB.
        """
        if len(what) > LONGEST or len(json.dumps(details)) > _LONGEST_TOLD:
            raise AccessRefused(
                FailureKind.INVALID,
                "details-unfit",
                f"an entry has an id of {LONGEST} characters and {_LONGEST_TOLD} bytes, at most",
            )
        with self._guard.changing(principal, action, team, what) as change:
            return self._audit.append(change.principal, str(action), what, team, details=details)

    def audit(
        self,
        principal: Principal,
        team: str,
        wanted: Wanted = _ANYTHING,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Entry]:
        """The audit of a team, the newest first; the first team's has what is of no team, too."""
        known = self._guard.require(principal, Action.AUDIT_READ, team)
        return self._audit.listed(known.tenant, team, wanted, cursor, limit)

    def check_audit(self, principal: Principal, noted: Head | None = None) -> Checked:
        """Whether the whole audit is as it was written, and goes through *noted*."""
        known = self._guard.require(principal, Action.AUDIT_READ, HOME)
        return self._audit.verify(known.tenant, noted)

    def close(self) -> None:
        """Close the file, which is opened again when it is needed."""
        self._store.close()
