"""Who asks, and whether they may.

The right that a route takes is part of the route (`may(Action.RUNS_READ)` in its signature),
so that a list of all routes shows it, and a test finds one that has none.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import Depends, Request, Response

from drawloom.access import HOME, Access, Action, Aside, Origin, Principal, Shown
from drawloom.errors import AccessRefused
from drawloom.server.problems import Problem

COOKIE: Final = "drawloom_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Knows people by a bearer token, or by the cookie of a session."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.aside = Aside()  # for what hashes passwords

    async def known(self, request: Request, response: Response) -> Principal:
        """Who asks. Raises `AccessRefused` where that is nobody."""
        stranger = nobody(request)
        given = request.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer":
            return await asyncio.to_thread(self.access.tokens.authenticate, stranger, token)
        session = request.cookies.get(COOKIE, "")
        if session and request.method not in _SAFE and not request.headers.get("origin"):
            # A browser says the origin of what changes something; see `limits` for which are good.
            raise Problem(403, "csrf", "a request with a session's cookie names its Origin")
        found = await asyncio.to_thread(self.access.sessions.authenticate, stranger, session)
        if found.session is not None:
            keep(response, found.session, request)
        return found.principal


def nobody(request: Request) -> Principal:
    """Who has not said yet who he is, from where he asks."""
    address = request.client.host if request.client else ""
    return Principal.nobody(Origin(address, request.headers.get("user-agent", "")))


def keep(response: Response, session: Shown, request: Request) -> None:
    """Have the browser keep a session."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, session.reveal(), httponly=True, secure=secure, samesite="strict", path="/"
    )


async def somebody(request: Request, response: Response) -> Principal:
    """Whoever has signed in: for what is one's own."""
    gate: Gate = request.app.state.gate
    return await gate.known(request, response)


class Allowed:
    """A dependency: somebody who may do *action*. A denied attempt is in the audit."""

    def __init__(self, action: Action) -> None:
        self.action = action

    async def __call__(self, request: Request, response: Response) -> Principal:
        gate: Gate = request.app.state.gate
        principal = await gate.known(request, response)
        return await asyncio.to_thread(gate.access.require, principal, self.action, HOME)


def may(action: Action) -> Any:
    """`who: Annotated[Principal, may(Action.RUNS_START)]` in the signature of a route."""
    return Depends(Allowed(action))


def signed_in() -> Any:
    """The same for what takes no right but to be somebody."""
    return Depends(somebody)


async def still_may(request: Request, who: Principal, action: Action) -> bool:
    """Whether somebody who was let in still may: for answers that last."""
    gate: Gate = request.app.state.gate
    try:
        await asyncio.to_thread(gate.access.require, who, action, HOME)
    except AccessRefused:
        return False
    return True
