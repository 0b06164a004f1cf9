"""Secrets of a project reach the clients of its engine, the changed ones too."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.drivers.until import until
from tests.servers.openbao import OpenBao

from drawloom.chains import load
from drawloom.errors import ConnectionUnusable, ValueInvalid, VaultUnusable
from drawloom.project import Project, connecting
from drawloom.runtime import caching, clients
from drawloom.runtime.clients import LOOK_AGAIN
from drawloom.sdk import Secret

pytest.importorskip("cryptography")

TOML = 'tools = ["tools.py"]\n[state]\ndurability = "memory"\n'
TOOLS = '''
"""A service whose door opens for one password, which is in a file."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from drawloom.sdk import Connection, Connector, Failure, FailureKind, Secret, ToolError

HERE = Path(__file__).parent


class Lab(Connection):
    host: str = "here"
    password: Secret

    @asynccontextmanager
    async def open(self, doors):
        with (HERE / "opened").open("a") as file:
            file.write(f"{self.host}\\n")
        for _ in range(9):  # as who reaches for a server
            await asyncio.sleep(0)
        yield {"host": self.host, "password": self.password.open_secret()}


lab = Connector("lab", Lab)


def knock(client):
    with (HERE / "knocked").open("a") as file:
        file.write("x\\n")
    if client["password"] != (HERE / "door").read_text():
        message = f"the door is closed for {client['password']}"
        details = {"given": [client["password"]]}
        raise ToolError(Failure(FailureKind.DENIED, message, details=details))
    return client["host"]


@lab.tool(effect="read")
async def read(client) -> str:
    """Knock at once."""
    return knock(client)


@lab.tool(effect="read")
async def wait(client) -> str:
    """Knock after a while."""
    await asyncio.sleep(0)
    return knock(client)


@lab.tool(effect="read")
def thread(client) -> str:
    """Knock in a thread."""
    return knock(client)


@lab.tool(effect="once")
async def once(client) -> str:
    """Knock, which may be done once."""
    return knock(client)


@lab.tool(effect="read")
async def cached(client, key: str) -> str:
    """Knock, and keep the answer."""
    return knock(client)
'''


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "drawloom.toml").write_text(TOML)
    (tmp_path / "tools.py").write_text(TOOLS)
    (tmp_path / "door").write_text("first secret")
    found = Project.find(tmp_path)
    connecting.add(
        found, "lab", "lab", {"password": {"vault": "lab"}}, {"password": "first secret"}
    )
    return found


def chain(tool: str, more: str = "") -> Any:
    step = f"{{use: lab.{tool}, on: lab{more}}}"
    return load(
        f'chain: c\nconnections: {{lab: lab}}\nsteps: {{a: {step}}}\noutput: "${{steps.a}}"'
    )


def lines(project: Project, name: str) -> int:
    return len((project.folder / name).read_text().splitlines())


def rotate(project: Project, value: str) -> None:
    """Another process sets the secret, and the service takes no other."""
    other = Project.find(project.folder)
    other.vault.secrets.set(other.secrets.principal, "lab", value)
    (project.folder / "door").write_text(value)


@pytest.mark.parametrize("tool", ["read", "wait", "thread"])
async def test_a_rotated_secret_reaches_a_running_engine(project: Project, tool: str) -> None:
    plan = project.checked_plan(chain(tool))
    async with project.engine() as engine:
        assert (await engine.run(plan)).output == "here"
        rotate(project, "second secret")
        results = await asyncio.gather(*[engine.run(plan) for _ in range(5)])
        assert [result.output for result in results] == ["here"] * 5
        assert lines(project, "opened") == 2  # one client more, for all of them
        assert (await engine.run(plan)).output == "here"
        assert lines(project, "opened") == 2


async def test_a_refused_client_whose_secret_is_the_same_is_not_opened_again(
    project: Project,
) -> None:
    plan = project.checked_plan(chain("read"))
    async with project.engine() as engine:
        assert (await engine.run(plan)).status == "succeeded"
        (project.folder / "door").write_text("other")
        for _ in range(3):
            result = await engine.run(plan)
            assert result.failure is not None
            assert result.failure.kind == "denied"
        assert (lines(project, "opened"), lines(project, "knocked")) == (1, 4)


async def test_what_may_happen_once_is_not_called_again(project: Project) -> None:
    plan = project.checked_plan(chain("once"))
    async with project.engine() as engine:
        assert (await engine.run(plan)).status == "succeeded"
        rotate(project, "second secret")
        assert (await engine.run(plan)).status == "failed"
        assert lines(project, "knocked") == 2


async def test_a_failure_does_not_repeat_the_secret(project: Project) -> None:
    (project.folder / "door").write_text("other")
    async with project.engine() as engine:
        result = await engine.run(project.checked_plan(chain("wait")))
    assert result.failure is not None
    assert result.failure.message == "a: the door is closed for ***"
    assert result.steps["a"].failure.details == {"given": ["***"]}


async def test_a_changed_address_reaches_a_running_engine_and_its_kept_answers(
    project: Project,
) -> None:
    plan = project.checked_plan(chain("cached", ", with: {key: k}, cache: 1h"))
    other = project.checked_plan(chain("read"))
    async with project.engine() as engine:
        assert (await engine.run(plan)).output == "here"
        apart = Project.find(project.folder)
        settings = {"host": "there", "password": {"vault": "lab"}}
        connecting.change(apart, "lab", settings, {"password": "second secret"})
        (project.folder / "door").write_text("second secret")
        assert (await engine.run(other)).output == "there"
        assert (await engine.run(plan)).output == "there"


async def test_a_kept_answer_is_fetched_anew_with_the_rotated_secret(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(time=lambda: clock.now, now=1_000.0)
    monkeypatch.setattr(caching, "time", clock)
    plan = project.checked_plan(chain("cached", ", with: {key: k}, cache: {ttl: 1m, stale: 1h}"))
    async with project.engine() as engine:
        assert (await engine.run(plan)).output == "here"
        rotate(project, "second secret")
        clock.now += 61
        assert (await engine.run(plan)).output == "here"  # the old one, while it is fetched
        await until(lambda: lines(project, "knocked") == 3)  # refused once, and let in
        await until(lambda: not engine.active())
        assert lines(project, "opened") == 2
        assert (await engine.run(plan)).output == "here"
        assert lines(project, "knocked") == 3  # so what was fetched is kept


async def test_a_secret_in_a_file_is_read_again_when_it_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drawloom.runtime.clients.LOOK_AGAIN", 0)
    (tmp_path / "tools.py").write_text(TOOLS)
    for name in ("door", "password"):
        (tmp_path / name).write_text("first")
    text = f'[connections.lab]\nkind = "lab"\npassword = {{file = "{tmp_path}/password"}}\n'
    (tmp_path / "drawloom.toml").write_text(TOML + text)
    project = Project.find(tmp_path)
    plan = project.checked_plan(chain("wait"))
    async with project.engine() as engine:
        assert (await engine.run(plan)).output == "here"
        for name in ("door", "password"):
            (tmp_path / name).write_text("second")
        assert (await engine.run(plan)).output == "here"


def by_hand(project: Project, change: Callable[[str], str]) -> None:
    """Change the settings of the connection as somebody who has no root key would."""
    [(text,)] = project.vault.store.opened().execute("select settings from connections")
    project.vault.store.opened().execute("update connections set settings = ?", (change(text),))


async def test_a_connection_altered_by_hand_is_sent_no_secret(project: Project) -> None:
    by_hand(project, lambda text: text.replace('"password"', '"host": "evil", "password"'))
    again = Project.find(project.folder)
    assert again.connections["lab"].settings["host"] == "evil"
    async with again.engine() as engine:
        result = await engine.run(again.checked_plan(chain("read")))
    assert result.failure is not None
    assert "'lab' was altered by hand" in result.failure.message
    assert not (project.folder / "opened").exists()


def test_what_was_altered_by_hand_is_not_proven_by_the_next_change(project: Project) -> None:
    by_hand(project, lambda text: text.replace('"password"', '"host": "here", "password"'))
    settings = {"host": "here", "password": {"vault": "lab"}}
    with pytest.raises(VaultUnusable, match="'lab' was altered by hand"):
        connecting.change(Project.find(project.folder), "lab", settings, {})


def test_a_secret_goes_to_a_new_address_only_with_its_value(project: Project) -> None:
    moved = {"host": "there", "password": {"vault": "lab"}}
    with pytest.raises(ValueInvalid, match="is for here; to send it to there, give its value"):
        connecting.change(project, "lab", moved, {})
    assert connecting.kept(project, "lab").origins == ("here",)
    connecting.change(project, "lab", moved, {"password": "again"})
    assert connecting.kept(project, "lab").origins == ("there",)
    assert project.vault.secrets.get(project.secrets.principal, "lab") == "again"


def test_a_change_that_is_refused_keeps_neither_secret_nor_address(project: Project) -> None:
    before = project.secrets.version()
    with pytest.raises(ValueInvalid):
        connecting.change(project, "lab", {"password": {"vault": "lab"}}, {"password": ""})
    assert project.secrets.version() == before


async def test_a_secret_of_openbao_is_used_by_a_run(
    tmp_path: Path, openbao: OpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp")
    openbao.ask("POST", "secret/data/lab", {"data": {"password": "from outside"}})
    monkeypatch.setenv("LAB_TOKEN", openbao.token)
    (tmp_path / "tools.py").write_text(TOOLS)
    (tmp_path / "door").write_text("from outside")
    (tmp_path / "drawloom.toml").write_text(f"""{TOML}
[secrets.hashicorp]
address = "{openbao.address}"
network = "private"
token = {{env = "LAB_TOKEN"}}
[connections.lab]
kind = "lab"
password = {{hashicorp = "secret/data/lab#password"}}
""")
    project = Project.find(tmp_path)
    async with project.engine() as engine:
        assert (await engine.run(project.checked_plan(chain("wait")))).output == "here"
        openbao.ask("POST", "secret/data/lab", {"data": {"password": "rotated"}})
        (tmp_path / "door").write_text("rotated")
        monkeypatch.setattr(clients, "time", SimpleNamespace(
            monotonic=lambda: LOOK_AGAIN + time.monotonic(), perf_counter_ns=time.perf_counter_ns
        ))  # fmt: skip
        plan = project.checked_plan(chain("wait"))
        results = await asyncio.gather(*[engine.run(plan) for _ in range(5)])
        assert [result.output for result in results] == ["here"] * 5
        assert lines(project, "opened") == 2


def test_a_secret_that_was_handed_its_value_shows_nothing_of_it() -> None:
    secret = Secret(vault="a")
    with pytest.raises(ConnectionUnusable, match="which this process has not opened"):
        secret.open_secret()
    secret.hand("hunter22")
    assert secret.open_secret() == "hunter22"
    assert "hunter22" not in f"{secret} {secret!r} {secret.reference}"
    assert secret == Secret(vault="a")
    assert hash(secret) == hash(Secret(vault="a"))
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(ConnectionUnusable):
        Secret._from_settings(secret).open_secret()  # a copy has its own value, or none


async def test_a_connection_that_was_removed_is_gone_for_a_running_engine(
    project: Project,
) -> None:
    plan = project.checked_plan(chain("read"))
    async with project.engine() as engine:
        apart = Project.find(project.folder)
        connecting.remove(apart, "lab", force=True)
        result = await engine.run(plan)
    assert result.failure is not None
    assert "there is no connection 'lab'" in result.failure.message


async def test_answers_of_another_address_are_not_used_after_a_restart(
    project: Project,
) -> None:
    plan = project.checked_plan(chain("cached", ", with: {key: k}, cache: 1h"))
    async with project.engine("full") as engine:
        assert (await engine.run(plan)).output == "here"
    settings = {"host": "there", "password": {"vault": "lab"}}
    connecting.change(project, "lab", settings, {"password": "first secret"})
    async with project.engine("full") as engine:
        assert (await engine.run(plan)).output == "there"
