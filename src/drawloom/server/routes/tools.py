"""The tools that there are."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from drawloom.access import Action, Principal
from drawloom.project import shapes
from drawloom.runtime.catalogue import UnknownTool
from drawloom.sdk import Tool
from drawloom.server.gate import may
from drawloom.server.problems import missing
from drawloom.server.studio import Studio

router = APIRouter(prefix="/tools", tags=["tools"])


@router.get("")
async def palette(
    request: Request,
    who: Annotated[Principal, may(Action.TOOLS_READ)],
    text: Annotated[str, Query(max_length=100, description="What a name or summary holds.")] = "",
) -> dict[str, Any]:
    """All tools in brief, or those that a text is found in, by name."""
    studio: Studio = request.app.state.studio

    def found() -> list[dict[str, Any]]:
        wanted = text.casefold()
        return [
            shapes.brief(tool)
            for tool in studio.project.catalogue.tools()
            if wanted in f"{tool.name} {tool.summary}".casefold()
        ]

    return {"tools": await asyncio.to_thread(found)}


@router.get("/{name}")
async def show(
    request: Request, name: str, who: Annotated[Principal, may(Action.TOOLS_READ)]
) -> dict[str, Any]:
    """One tool, with its text and the schemas of its input and output."""
    studio: Studio = request.app.state.studio

    def found() -> dict[str, Any]:
        try:
            tool: Tool = studio.project.catalogue.find(name)
        except UnknownTool as exc:
            raise missing(str(exc)) from None
        return shapes.tool(tool)

    return await asyncio.to_thread(found)
