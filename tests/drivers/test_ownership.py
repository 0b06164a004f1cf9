"""One process owns a state directory; readers and requests are welcome."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.drivers.conftest import Compile, MakeEngine

from drawloom.db import SCHEMA_VERSION, connect_reader
from drawloom.drivers.embedded import STORE, Engine, owner_of, requests
from drawloom.errors import StateUnusable

ROOT = Path(__file__).parents[2]

OWNER = """
import asyncio, sys
from drawloom.drivers.embedded import Engine
async def main():
    async with Engine(state=sys.argv[1]):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    owner = subprocess.Popen(  # noqa: ASYNC220  # it is waited for by one line alone
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert owner.stdout is not None and owner.stdout.readline() == b"ready\n"
        with pytest.raises(StateUnusable, match=f"process {owner.pid}"):
            await Engine(state=tmp_path).__aenter__()
        told = owner_of(tmp_path)
        assert told is not None and told["pid"] == owner.pid and told["command"] == "-c"
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    assert owner_of(tmp_path) is None
    async with Engine(state=tmp_path):
        told = owner_of(tmp_path)
        assert told is not None and told["pid"] == os.getpid()


async def test_two_engines_of_one_process_do_not_share_a_directory(
    make_engine: MakeEngine,
) -> None:
    async with make_engine():
        with pytest.raises(StateUnusable, match="in use"):
            await make_engine().__aenter__()


async def test_a_reader_sees_what_is_committed_beside_the_writer(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    async with make_engine() as engine:
        plan = compile_for(engine, "{chain: c, steps: {a: {use: my.echo}}}")
        reader = connect_reader(tmp_path / "state" / STORE)
        for number in range(1, 4):
            await engine.run(plan)
            [(count,)] = reader.execute("select count(*) from runs where status = 'succeeded'")
            assert count == number
        reader.close()


async def test_a_store_of_a_newer_version_is_refused_as_it_is(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    async with make_engine() as engine:
        assert engine._db is not None
        engine._db.pragma("user_version", SCHEMA_VERSION + 1)
    with pytest.raises(StateUnusable, match="newer Drawloom"):
        await make_engine().__aenter__()
    with pytest.raises(StateUnusable, match="newer Drawloom"):
        connect_reader(tmp_path / "state" / STORE)
    assert owner_of(tmp_path / "state") is None


async def test_a_damaged_store_is_refused_in_words(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    async with make_engine():
        pass
    store = tmp_path / "state" / STORE
    store.write_bytes(b"this is no database" * 500)
    with pytest.raises(StateUnusable, match=STORE):
        await make_engine().__aenter__()


async def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnusable, match="file"):
        await Engine(state=tmp_path / "file" / "state").__aenter__()


async def test_another_process_may_ask_for_a_cancel_and_a_resolution(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    state = tmp_path / "state"

    async def ask(**what: object) -> None:
        code = (
            "import json, sys; from pathlib import Path;"
            "from drawloom.drivers.embedded.requests import ask;"
            "ask(Path(sys.argv[1]), json.loads(sys.argv[2]))"
        )
        import json

        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(state), json.dumps(what), stderr=-1, cwd=ROOT
        )
        _, told = await asked.communicate()
        if asked.returncode:
            raise StateUnusable(told.decode())

    async with make_engine() as engine:
        plan = compile_for(engine, "{chain: c, steps: {a: {use: my.fail, with: {kind: lost}}}}")
        assert (await engine.run(plan, run_id="r")).status == "unknown"
        await ask(do="resolve", run_id="r", call="a#1", outcome="succeeded")
        assert (await engine.wait("r")).status == "succeeded"
        await engine.run(plan, run_id="s")
        await ask(do="cancel", run_id="s", reason="from outside")
        result = await engine.wait("s")
        assert result.failure is not None and "from outside" in result.failure.message
        with pytest.raises(StateUnusable, match="not under way"):
            await ask(do="cancel", run_id="nobody")
    assert list((state / requests.INBOX).iterdir()) == []
