"""Twelve passwords of every awkward shape are found nowhere, whatever goes well or wrong."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.canaries import CANARIES, found_in
from tests.servers.lookup import free_port

from drawloom.chains import load
from drawloom.connectors.databases.mongodb import connector
from drawloom.connectors.databases.mongodb.connection import MongodbConnection, driver_options
from drawloom.connectors.databases.mongodb.tests.conftest import LEAVES_SOCKETS
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, FailureKind
from drawloom.project import Project
from drawloom.sdk import Secret, name_fault
from drawloom.sdk.contract import call_checked

pytestmark = [pytest.mark.slow, *LEAVES_SOCKETS]
CHAIN = """
chain: c
connections: {db: mongodb}
steps:
  add:
    use: mongodb.insert_one
    on: db
    with: {collection: t, document: {a: 1}}
    retry: {attempts: 1}
  again:
    use: mongodb.insert_one
    on: db
    after: [add]
    with: {collection: t, document: {_id: {$bad: 1}}}
    retry: {attempts: 1}
"""


REFUSED = {"c05", "c11"}  # by SCRAM: they hold control characters


async def test_a_password_is_found_nowhere(
    tmp_path: Path,
    guarded_mongodb: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    good = 0
    for name, canary in CANARIES.items():
        monkeypatch.setenv("TEST_PASSWORD", canary)
        good += known(guarded_mongodb, name, canary)
        right = settings_of(guarded_mongodb, user=name)
        shown += await through_the_tools(right, tmp_path)
        for wrong in wrongs(right):
            shown += await through_the_tools(wrong, tmp_path)
            # SecantusDB shakes hands with one at a time, and waits for a socket left open.
            gc.collect()
        for user, kind in ((name, FailureKind.INVALID), ("nobody", FailureKind.DENIED)):
            result = await through_the_engine({**right, "user": user}, tmp_path / f"{name} {user}")
            assert result.failure is not None
            assert result.failure.kind == kind or name in REFUSED, result
            shown += [repr(result), repr(result.failure), repr(result.failure.details)]
    assert good == len(CANARIES) - len(REFUSED), "by these the server has let somebody in"
    shown += [*capfd.readouterr(), caplog.text, *guarded_mongodb.command]
    written = [*on_disk(tmp_path), *(text.encode() for text in shown)]
    assert [(found, text[:400]) for text in written if (found := found_in(text))] == []


def known(server: Any, name: str, canary: str) -> bool:
    """Make a user with this password; whether the server takes one of its shape."""
    from pymongo.errors import OperationFailure

    with server.connect() as admin:
        try:
            admin.admin.command("createUser", name, pwd=canary, roles=["root"])
        except OperationFailure:
            return False
    return True


def settings_of(server: Any, **more: Any) -> dict[str, Any]:
    given = {**server.settings("d"), "password": {"env": "TEST_PASSWORD"}}
    if server.ca_file is not None:
        given |= {"tls": "verify-ca", "ca_file": str(server.ca_file)}
    return given | more


def wrongs(right: dict[str, Any]) -> list[dict[str, Any]]:
    """All that can be wrong on the way to a server, the password being sent or not."""
    soon = {**right, "connect_timeout": 0.1}  # seconds, after which nobody has answered
    return [
        {**soon, "user": "nobody"},
        {**soon, "auth_database": "nowhere"},
        {**soon, "port": free_port()},
        {**soon, "tls": "off", "ca_file": None},
        {**soon, "tls": "verify-full", "ca_file": None},
    ]


async def through_the_tools(given: dict[str, Any], folder: Path) -> list[str]:
    """All texts that there are of the settings, the client, and how calls of it end."""
    made = MongodbConnection(**{**given, "password": Secret(env="TEST_PASSWORD")})
    shown = [repr(made), str(made), repr(vars(made)), made.model_dump_json()]
    try:
        driver_options(made, folder)
    except ConnectionUnusable as exc:
        return [*shown, repr(exc), *traceback.format_exception(exc)]
    async with made.open(Doors(folder)) as client:
        driver = client.driver
        shown += [repr(client), repr(vars(client)), repr(driver), repr(client.database)]
        for call in (
            lambda: made.check(client),
            lambda: call_checked(connector.tools["mongodb.find"], client, collection="t"),
            lambda: call_checked(
                connector.tools["mongodb.find"], client, collection="t", filter={"a": 1}
            ),
        ):
            try:
                shown.append(repr(await call()))
            except Exception as exc:  # noqa: BLE001
                shown += [repr(exc), *traceback.format_exception(exc)]
                shown.append(repr(name_fault(connector.faults, exc)))
                break
        shown += [repr(driver.options), repr(driver.topology_description)]
    return shown


async def through_the_engine(given: dict[str, Any], folder: Path) -> Any:
    """The result of a run that fails in its second step, or, where something is wrong, before."""
    lines = [f"{name} = {shaped(value)}" for name, value in given.items() if value is not None]
    text = "\n".join(["[connections.db]", 'kind = "mongodb"', *lines])
    await asyncio.to_thread(folder.mkdir)
    (folder / "drawloom.toml").write_text(text)
    project = Project.find(folder)
    async with project.engine() as engine:
        return await engine.run(project.checked_plan(load(CHAIN)), {})


def shaped(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'{name} = "{inner}"' for name, inner in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def on_disk(folder: Path) -> list[bytes]:
    """What the runs have written, their journals among it, and how this process was called."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.name == "state.db" for path in files) == 2 * len(CANARIES)
    return [path.read_bytes() for path in (*files, Path("/proc/self/cmdline"))]
