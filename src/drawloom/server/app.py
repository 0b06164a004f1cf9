"""The application: every route, behind the limits, with errors as problems."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from fastapi import FastAPI

from drawloom.access import Access
from drawloom.server import problems
from drawloom.server.gate import Gate
from drawloom.server.limits import Limits
from drawloom.server.live import Live
from drawloom.server.routes import ROUTERS
from drawloom.server.studio import Studio

PREFIX = "/api/v1"


def make_app(studio: Studio, access: Access, hosts: Collection[str]) -> FastAPI:
    """The application over *studio*, for people of *access*, known as *hosts*."""
    app = FastAPI(
        title="Drawloom",
        version=version("drawloom"),
        summary="Chains, their runs, and the tools that they call.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.studio, app.state.gate, app.state.live = studio, Gate(access), Live()
    studio.engine.watch(app.state.live.sink)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, responses=problems.DOCUMENTED)
    app.add_middleware(Limits, hosts=hosts)
    return app
