"""The chains of the project, as their files are now, and what is wrong with a draft."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from drawloom.access import Action, Principal
from drawloom.chains.check import check_text
from drawloom.chains.reading import Limits
from drawloom.project.chains import ChainFiles
from drawloom.server.gate import may
from drawloom.server.studio import Studio

router = APIRouter(prefix="/chains", tags=["chains"])

_MOST_FINDINGS = 500


class Draft(BaseModel):
    """A chain's text that is not saved."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=Limits().bytes, description="YAML or JSON.")


@router.get("")
async def listed(
    request: Request, who: Annotated[Principal, may(Action.CHAINS_READ)]
) -> dict[str, Any]:
    """Every chain of the project by name, with its file; several files of a name are an error."""
    studio: Studio = request.app.state.studio
    files = await studio.chains()
    folder = studio.project.folder
    return {
        "chains": [
            {"chain": name, "files": [str(path.relative_to(folder)) for path in paths]}
            for name, paths in sorted(files.items())
        ]
    }


@router.post("/check")
async def check(
    request: Request, draft: Draft, who: Annotated[Principal, may(Action.CHAINS_READ)]
) -> dict[str, Any]:
    """What the static check says of a draft; nothing is run, saved or connected to."""
    studio: Studio = request.app.state.studio

    def found() -> list[dict[str, Any]]:
        findings = check_text(
            draft.text.encode(),
            studio.project.catalogue,
            file="draft",
            find_chain=ChainFiles(studio.project.folder),
        )
        return [asdict(finding) for finding in findings[:_MOST_FINDINGS]]

    return {"findings": await asyncio.to_thread(found)}


@router.get("/{name}")
async def show(
    request: Request,
    response: Response,
    name: str,
    who: Annotated[Principal, may(Action.CHAINS_READ)],
) -> dict[str, Any]:
    """A chain: its text as it is, what it takes, and its version in the header ETag."""
    studio: Studio = request.app.state.studio
    chain, text = await studio.chain(name)
    response.headers["ETag"] = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    return {
        "chain": chain.name,
        "version": chain.version,
        "description": chain.description,
        "connections": dict(chain.connections),
        "text": text.decode("utf-8", "replace"),
    }
