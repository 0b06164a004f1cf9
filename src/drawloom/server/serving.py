"""Serve one project: take its state, answer until asked to stop, and leave in good order."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from drawloom.access import Access, Principal
from drawloom.errors import StateUnusable, ValueInvalid
from drawloom.project import Project
from drawloom.project.settings import Durability
from drawloom.server.app import make_app
from drawloom.server.limits import known_as
from drawloom.server.studio import Studio

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LEAVE = 10  # seconds for requests that are under way
_HEADERS = 32 * 1024  # bytes
_AT_ONCE = 1_000  # connections


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen, and the other names by which the server is known (of a proxy, say)."""

    host: str = "127.0.0.1"
    port: int = 8484
    names: Collection[str] = ()

    @property
    def url(self) -> str:
        """The address to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Listener(uvicorn.Server):
    """Listens until it is asked to leave; a second time, at once.

    The signals are not its own: it would raise them again at its end, before the engine
    has closed.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    def leave(self) -> None:
        """Stop listening, and let what is under way end. Who follows a run is let go."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.config.loaded_app.state.live.stop()


async def serve(
    project: Project, place: Place, state: Path | None, tell: Callable[[str], Any]
) -> None:
    """Serve until asked to stop (SIGINT, SIGTERM). *tell* prints a line for people.

    Raises `StateUnusable` where the state belongs to another process, or where it should
    listen to others than this machine before there is an owner.
    """
    folder = state or project.state
    access = access_of(folder)
    owned = access.joining.has_owner(terminal())
    if not owned and place.host not in _LOOPBACK:
        raise StateUnusable(
            f"there is no owner yet: serve on 127.0.0.1 first and make one, then on {place.host}"
        )
    settled = project.settings.durability
    durability: Durability = "full" if settled == "memory" else settled
    listening = bound(place)
    place = replace(place, port=listening.getsockname()[1])
    async with project.engine(durability, folder) as engine:
        app = make_app(Studio(project, engine, folder), access, known_as(place.host, place.names))
        server = Listener(config_of(app))
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, server.leave)
        tell(f"Drawloom serves {project.folder} at {place.url}/api/v1 (Ctrl-C stops it)")
        if not owned:
            link = access.joining.owner_link(terminal())
            tell(
                "There is nobody yet. Within an hour, make the owner with this link, once:\n"
                f'  curl {place.url}/api/v1/owner -H "Content-Type: application/json" \\\n'
                f'    -d \'{{"link": "{link.secret.reveal()}", "name": "YOU", "password": "…"}}\''
            )
        try:
            await server.serve(sockets=[listening])
        finally:
            access.close()


def access_of(folder: Path) -> Access:
    """The people of a state directory."""
    folder.mkdir(parents=True, exist_ok=True)
    return Access(folder, lambda: time.time_ns() // 1_000, secrets.token_bytes)


def terminal() -> Principal:
    """Whoever runs this process."""
    return Principal.terminal(os.environ.get("USER", "") or str(os.getuid()))


def bound(place: Place) -> socket.socket:
    """A socket that listens there. Raises `ValueInvalid` saying why it cannot."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        return socket.create_server((place.host, place.port), family=family)
    except OSError as exc:
        raise ValueInvalid(
            f"cannot listen on {place.host}, port {place.port}: {exc.strerror}; "
            "is it served already? Another port: --port N"
        ) from None


def config_of(app: Any) -> uvicorn.Config:
    """How connections are treated."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_AT_ONCE,
        h11_max_incomplete_event_size=_HEADERS,
        timeout_graceful_shutdown=_LEAVE,
        lifespan="off",
    )
