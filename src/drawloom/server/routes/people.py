"""Signing in, one's own tokens, and the audit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from drawloom.access import HOME, Action, Principal
from drawloom.project.shapes import instant
from drawloom.server.gate import COOKIE, Gate, keep, may, nobody, signed_in

router = APIRouter(tags=["people"])

_DAY = 24 * 3600 * 1_000_000  # microseconds
Secret = Annotated[str, Field(min_length=1, max_length=1_024)]


class Body(BaseModel):
    """Nothing else may be said. Its repr shows nothing, for it may hold a password."""

    model_config = ConfigDict(extra="forbid")

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []


class Owner(Body):
    """The first owner, made with the link that the terminal shows."""

    link: Secret
    name: str = Field(min_length=1, max_length=100)
    password: Secret


class Login(Body):
    """A name and its password."""

    name: str = Field(max_length=256)
    password: Secret


class NewToken(Body):
    """A token that is wanted."""

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Action] = Field(min_length=1, max_length=len(Action))
    days: int = Field(90, ge=1, le=366, description="How long it lives.")


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


@router.post("/owner", status_code=201)
async def become_owner(request: Request, response: Response, owner: Owner) -> dict[str, Any]:
    """Make the first owner, who is then signed in. The link is good once, for an hour."""
    gate = _gate(request)
    act = gate.access.joining.become_owner
    found = await gate.aside.run(act, nobody(request), owner.link, owner.name, owner.password)
    if found.session is not None:
        keep(response, found.session, request)
    return _person(found.principal)


@router.post("/session", status_code=201)
async def login(request: Request, response: Response, given: Login) -> dict[str, Any]:
    """Sign in; the session is kept in a cookie."""
    gate = _gate(request)
    act = gate.access.logins.login
    found = await gate.aside.run(act, nobody(request), given.name, given.password)
    if found.session is not None:
        keep(response, found.session, request)
    return _person(found.principal)


@router.delete("/session", status_code=204)
async def logout(
    request: Request, response: Response, who: Annotated[Principal, signed_in()]
) -> None:
    """End the present session."""
    await asyncio.to_thread(_gate(request).access.sessions.end, who)
    response.delete_cookie(COOKIE, path="/")


@router.get("/me")
async def me(who: Annotated[Principal, signed_in()]) -> dict[str, Any]:
    """Who is signed in, and what he is in each team."""
    return _person(who)


@router.get("/tokens")
async def tokens(request: Request, who: Annotated[Principal, signed_in()]) -> dict[str, Any]:
    """One's own API tokens; never a token itself."""
    found = await asyncio.to_thread(_gate(request).access.tokens.listed, who)
    times = ("made_at", "expires_at", "used_at", "revoked_at")
    return {
        "tokens": [
            {n: instant(v) if n in times else v for n, v in asdict(one).items()} for one in found
        ]
    }


@router.post("/tokens", status_code=201)
async def make_token(
    request: Request, wanted: NewToken, who: Annotated[Principal, signed_in()]
) -> dict[str, str]:
    """Make a token of one's own. It is shown here, and never again."""
    until = time.time_ns() // 1_000 + wanted.days * _DAY
    act = _gate(request).access.tokens.make
    made = await asyncio.to_thread(act, who, wanted.name, wanted.scopes, until)
    return {"id": made.id, "token": made.token.reveal()}


@router.delete("/tokens/{id}", status_code=204)
async def revoke(request: Request, id: str, who: Annotated[Principal, signed_in()]) -> None:
    """End one of one's own tokens."""
    await asyncio.to_thread(_gate(request).access.tokens.revoke, who, id)


@router.get("/audit")
async def audit(
    request: Request,
    who: Annotated[Principal, may(Action.AUDIT_READ)],
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Every change and every denied attempt, the newest first."""
    gate = _gate(request)
    page = await asyncio.to_thread(
        lambda: gate.access.audit(who, HOME, cursor=cursor, limit=limit)
    )
    entries = [{**asdict(entry), "at": instant(entry.at)} for entry in page.items]
    return {"entries": entries, "next": page.cursor}


def _person(who: Principal) -> dict[str, Any]:
    return {"user": who.user, "name": who.name, "via": str(who.via), "roles": dict(who.roles)}
