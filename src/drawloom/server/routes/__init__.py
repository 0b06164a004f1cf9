"""The routes of the API, a module for each thing that it speaks of."""

from __future__ import annotations

from drawloom.server.routes import chains, health, people, runs, tools

ROUTERS = (health.router, people.router, tools.router, chains.router, runs.router)

__all__ = ["ROUTERS"]
