"""`drawloom serve` as a process: it says where it is, makes one owner, and leaves in good order."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port

from drawloom.project.starting import start_project

LINK = re.compile(r'"link": "([\w-]+)"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    start_project(tmp_path / "p")
    return tmp_path / "p"


@contextmanager
def serving(folder: Path, port: int, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it has said once it answers."""
    command = ["drawloom", "serve", "--port", str(port), *more]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = ""
    try:
        while "serves" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        if "nobody yet" not in said and not (folder / ".owned").exists():
            said += "".join(process.stdout.readline() for _ in range(3))
        yield process, said
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(port: int, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1{path}", data, given)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as got:
                return got.status, (json.loads(got.read()), got.headers.get("Set-Cookie", ""))
        except urllib.error.HTTPError as exc:
            return exc.code, json.loads(exc.read())
        except urllib.error.URLError as exc:  # it is not listening yet
            assert isinstance(exc.reason, ConnectionRefusedError)


def test_from_the_first_start_to_the_last_word(folder: Path) -> None:
    port = free_port()
    with serving(folder, port) as (process, said):
        assert f"http://127.0.0.1:{port}/api/v1" in said
        found = LINK.search(said)
        assert found is not None, said
        given = {"link": found[1], "name": "Ada", "password": "correct horse battery staple"}
        status, (person, cookie) = ask(port, "/owner", given)
        assert (status, person["roles"]) == (201, {"main": "owner"})
        who = {"Cookie": cookie.partition(";")[0], "Origin": f"http://127.0.0.1:{port}"}
        status, (started, _) = ask(port, "/runs", {"chain": "hello"}, **who)
        assert status == 201
        beside = subprocess.run(
            ["drawloom", "serve", "--port", str(free_port())],
            cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert beside.returncode == 3, beside.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    (folder / ".owned").touch()
    listed = subprocess.run(
        ["drawloom", "runs", "list", "--json"],
        cwd=folder, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert started["run"] in listed.stdout
    with serving(folder, port) as (process, said):
        assert "nobody yet" not in said
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_what_it_needs_and_is_not_there_is_named(folder: Path) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from drawloom.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "drawloom[server]" in done.stderr) == (2, True), done.stderr


def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            ["drawloom", "serve", "--port", port],
            cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"port {port}" in done.stderr


def test_nobody_else_is_listened_to_before_there_is_an_owner(folder: Path) -> None:
    done = subprocess.run(
        ["drawloom", "serve", "--host", "0.0.0.0", "--port", "0"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "no owner yet" in done.stderr) == (3, True), done.stderr
