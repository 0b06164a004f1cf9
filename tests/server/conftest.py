"""A server of a new project, really listening, and what asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from drawloom.access import HOME, Access, Action, Origin, Principal
from drawloom.access.principal import Role
from drawloom.project import Project
from drawloom.project.starting import start_project
from drawloom.server.app import make_app
from drawloom.server.limits import known_as
from drawloom.server.serving import Listener, Place, access_of, bound, config_of, terminal
from drawloom.server.studio import Studio

PASSWORD = "correct horse battery staple"
DAY = 24 * 3600 * 1_000_000
WAITING = """\
chain: waiting
steps:
  ask: {use: core.approve, with: {title: "Shall it go on?", approvers: [owner]}}
  go: {use: core.wait, after: [ask], with: {signal: go}}
output: "${steps.go}"
"""
SLOW = """\
chain: slow
steps:
  nap: {use: core.wait, with: {duration: 10m}}
"""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        return str(self.json["code"])


@dataclass
class Served:
    """A server under test."""

    app: Any
    studio: Studio
    access: Access
    session: aiohttp.ClientSession
    url: str
    owner: Principal | None = None
    tokens: dict[Role, str] = field(default_factory=dict)
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(
        self, method: str, path: str, role: Role | None = Role.OWNER, **how: Any
    ) -> Answer:
        """Ask as somebody with that role (None: as nobody)."""
        headers = dict(how.pop("headers", {}))
        if role is not None:
            headers.setdefault("Authorization", f"Bearer {await self.token(role)}")
        async with self.session.request(
            method, f"{self.url}{path}", headers=headers, **how
        ) as got:
            return Answer(got.status, got.headers, await got.text())

    async def token(self, role: Role) -> str:
        """A token with all that a role may."""
        async with self.making:
            return await self._token(role)

    async def _token(self, role: Role) -> str:
        if role not in self.tokens:
            who = await self.person(role)
            scopes = [a for a in Action if a is not Action.TOKENS_OWN and _may(who, a)]
            until = self.access._store.now() + DAY
            self.tokens[role] = self.access.tokens.make(
                who, str(role), scopes, until
            ).token.reveal()
        return self.tokens[role]

    async def person(self, role: Role) -> Principal:
        """Somebody with that role, signed in."""
        return await asyncio.to_thread(self._person, role)

    def _person(self, role: Role) -> Principal:
        nobody = Principal.nobody(Origin("127.0.0.1", "test"))
        if self.owner is None:
            link = self.access.joining.owner_link(terminal())
            made = self.access.joining.become_owner(
                nobody, link.secret.reveal(), "owner", PASSWORD
            )
            self.owner = made.principal
        if role is Role.OWNER:
            return self.owner
        link = self.access.joining.invite(self.owner, HOME, str(role), role)
        return self.access.joining.join(nobody, link.secret.reveal(), PASSWORD).principal


def _may(who: Principal, action: Action) -> bool:
    from drawloom.access import may

    return may(who, action, HOME)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    """A server of the project in *folder*, on a free port."""
    project = Project.find(folder)
    access = access_of(project.state)
    place = Place(port=0)
    async with project.engine("full") as engine:
        studio = Studio(project, engine, project.state)
        app = make_app(studio, access, known_as(place.host, ()))
        server = Listener(config_of(app))
        listening = bound(place)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            assert not running.done()
            await asyncio.wait([running], timeout=0)
        jar = aiohttp.CookieJar(unsafe=True)  # for an address, too
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            port = listening.getsockname()[1]
            yield Served(app, studio, access, session, f"{replace(place, port=port).url}/api/v1")
        server.leave()
        await running
    access.close()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    start_project(tmp_path / "p")
    (tmp_path / "p" / "waiting.yaml").write_text(WAITING)
    (tmp_path / "p" / "slow.yaml").write_text(SLOW)
    async with serving(tmp_path / "p") as found:
        yield found
