"""No secret comes to light: twelve canaries go through every command, and every byte is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO, TextIOWrapper
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from tests.e2e import canaries
from tests.e2e.canaries import CANARIES, core, found_below, found_in, found_in_processes

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")

PROGRAM = Path(sys.executable).with_name("drawloom")
TOOLS = '''
"""A service that is given secrets, and says them again wherever it can."""

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path

from drawloom.sdk import Connection, Connector, Failure, FailureKind, Secret, ToolError, tool

HERE = Path(__file__).parent


class Lab(Connection):
    host: str = "here"
    password: Secret
    breaks: str = ""

    @asynccontextmanager
    async def open(self, doors):
        secret = self.password.open_secret()
        if self.breaks == "open":
            raise ConnectionRefusedError(f"refused {secret} {secret!r} {self!r}")
        yield secret

    async def check(self, client):
        if self.breaks == "check":
            raise ToolError(Failure(FailureKind.DENIED, f"not {client}", details={"it": client}))
        return {"server": "lab", "length": len(client)}


lab = Connector("lab", Lab)


@lab.tool(effect="read")
async def length(client, least: int = 0) -> int:
    """How long the secret is."""
    if least > len(client):
        raise RuntimeError(f"too short: {client} {client!r} {client.encode()!r}")
    return len(client)


@tool(effect="read")
async def gate() -> bool:
    """Wait until the gate is open."""
    (HERE / "waiting").touch()
    while not (HERE / "gate").exists():
        await asyncio.sleep(0.01)
    return True


@tool(effect="read", isolation="process")
def apart() -> bool:
    """Wait in a process of its own until the gate is open."""
    (HERE / "apart").touch()
    while not (HERE / "gate").exists():
        time.sleep(0.01)
    return True
'''


def chain(chain: str, body: str, more: str = "") -> str:
    slots = ", ".join(f"{name}: lab" for name in CANARIES)
    steps = "\n".join(f"  {n}: {{use: lab.length, on: {n}{body}}}" for n in CANARIES)
    return f"chain: {chain}\nconnections: {{{slots}, web: http}}\nsteps:\n{steps}\n{more}"


CHAINS = {
    "good": chain("good", ""),
    "bad": chain(
        "bad",
        ", with: {least: 99999}, on_error: continue",
        "  web: {use: http.get, on: web, with: {path: /x}}\n",
    ),
    "held": chain("held", ", after: [gate]", "  gate: {use: my.gate}\n  apart: {use: my.apart}\n"),
}


class Echo(BaseHTTPRequestHandler):
    """Answers 500, and says what it was given."""

    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(f"{self.path} {self.headers}".encode())

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Sweep:
    """A project, and all that its commands have said."""

    def __init__(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        capture: pytest.CaptureFixture[bytes],
    ) -> None:
        self.folder = folder
        self.said: dict[str, bytes] = {}
        self._patch = patch
        self._capture = capture

    def __call__(self, *words: str, input: str = "", code: int | None = 0) -> bytes:
        from drawloom.cli.ending import execute

        self._patch.setattr("sys.stdin", TextIOWrapper(BytesIO(input.encode())))
        self._capture.readouterr()
        given = execute(words)
        out, err = self._capture.readouterr()
        assert code is None or given == code, (words, err.decode())
        self.said[" ".join(words)] = out + err
        return out


@pytest.fixture
def sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Sweep:
    (tmp_path / "tools.py").write_text(TOOLS)
    (tmp_path / "drawloom.toml").write_text('tools = ["tools.py"]\n')
    for name, text in CHAINS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRAWLOOM_DEBUG", "1")  # which prints what lies behind an error
    monkeypatch.setenv("COLUMNS", "200")
    return Sweep(tmp_path, monkeypatch, capfdbinary)


@pytest.fixture
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_net_finds_what_it_should() -> None:
    """Each form of each canary is found, and nothing where there is none."""
    assert found_in(b"nothing at all") == set()
    for number, (name, value) in enumerate(CANARIES.items(), 1):
        shapes: list[Callable[[], bytes]] = [
            value.encode,
            lambda v=value: json.dumps(v).encode(),
            lambda v=value: repr(v).encode(),
            lambda v=value: quote(v).encode(),
            lambda v=value: b64encode(b"user:" + v.encode()),
            lambda v=value: b64encode(b"u:" + v.encode()),
            lambda n=number: core(n).encode().hex().encode(),
        ]
        for shape in shapes:
            assert found_in(b"before " + shape() + b" after") == {name}


@pytest.mark.slow
def test_no_canary_comes_to_light(sweep: Sweep, echo: str) -> None:
    add_all(sweep, echo)
    for name in (*CANARIES, "web"):
        sweep("connections", "show", name)
    for name in ("c01", "c04", "c07", "c11"):
        assert json.loads(sweep("connections", "test", name, "--json"))["usable"]
        sweep("connections", "change", name, "-s", "breaks=check")
        sweep("connections", "test", name, code=1)
        sweep("connections", "rotate", name, "--stdin", input=CANARIES[name], code=1)
        sweep("connections", "change", name, "-s", "breaks=open")
        sweep("connections", "test", name, "--json", code=1)
        sweep("connections", "change", name, "--unset", "breaks")
    sweep("connections", "test", "web", code=None)
    run_all(sweep)
    for words in (
        ("connections", "list", "--json"),
        *(("secrets", word) for word in ("list", "log", "rotate-key", "rewrap")),
        ("doctor",),
        ("plan", "good.yaml", "--read", "--json"),
        ("plan", "bad.yaml", "--read"),
        ("check", "bad.yaml"),
        ("schema", "connection", "lab"),
        ("tools", "list"),
        ("cache", "list"),
    ):
        sweep(*words, code=None)
    sweep("connections", "change", "c02", "-s", "host=evil", code=2)
    sweep("secrets", "set", "c03.password", "--stdin", input="\0" + CANARIES["c03"] * 9999, code=2)
    assert {words: found_in(said) for words, said in sweep.said.items() if found_in(said)} == {}
    assert found_below(sweep.folder) == {}
    assert len(sweep.said) > 50


def add_all(sweep: Sweep, echo: str) -> None:
    """A connection for each canary, and one to a service that echoes."""
    for name, value in CANARIES.items():
        words = ("connections", "add", name, "--kind", "lab", "--stdin", "password")
        sweep(*words, input=value)
    words = ("connections", "add", "web", "--kind", "http", "-s", f"base_url={echo}")
    words = (*words, "-s", "network=private", "-s", "auth.type=api_key", "-s", "auth.in=query")
    sweep(*words, "--stdin", "auth.key", input=CANARIES["c04"])


def run_all(sweep: Sweep) -> None:
    """Runs that succeed, that fail, and one that is looked at while it goes on."""
    good = json.loads(sweep("run", "good.yaml", "--json"))
    lengths = {name: len(value) for name, value in CANARIES.items()}
    assert {n: s["status"] for n, s in good["steps"].items()} == dict.fromkeys(
        lengths, "succeeded"
    )
    bad = json.loads(sweep("run", "bad.yaml", "--json", code=1))
    assert bad["steps"]["c12"]["failure"]["message"].count("***") >= 1  # each did say its secret
    for run in (good["run"], bad["run"]):
        sweep("runs", "show", run)
        sweep("runs", "show", run, "--json")
        sweep("runs", "show", run, "--step", "c01", "--json")
        sweep("runs", "follow", run, "--json", code=None)
        sweep("runs", "replay", run, code=None)
        sweep("runs", "to-test", run, code=None)
    assert (
        json.loads(sweep("runs", "show", good["run"], "--step", "c12", "--json"))["output"] > 4000
    )
    held(sweep)


def held(sweep: Sweep) -> None:
    """What a process that holds open clients shows of itself and of its children."""
    process = subprocess.Popen(
        [PROGRAM, "run", "held.yaml", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        told = b""
        while b"apart: running" not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        while not (sweep.folder / "apart").exists():
            assert process.poll() is None
            os.sched_yield()
        assert canaries.below(process.pid), "the isolated tool has a process"
        assert found_in_processes(process.pid) == {}
    finally:
        (sweep.folder / "gate").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    sweep.said["held"] = told + out + err
