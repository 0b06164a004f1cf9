"""Whether the server is well, and which it is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Request

from drawloom.access import Principal
from drawloom.server.gate import signed_in
from drawloom.server.studio import Studio

router = APIRouter(tags=["server"])


@router.get("/health")
async def health() -> dict[str, str]:
    """That the server answers. Nobody has to sign in for it."""
    return {"status": "ok"}


@router.get("/version")
async def version_of(
    request: Request, who: Annotated[Principal, signed_in()]
) -> dict[str, str | int]:
    """The version of Drawloom, and how many runs are under way."""
    studio: Studio = request.app.state.studio
    return {"version": version("drawloom"), "runs": len(studio.engine.active())}
