"""`make services`, started as a developer would, read, used, and interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from tests.servers.lookup import listening, missing, program

ROOT = Path(__file__).parents[2]
MODULE = [sys.executable, "-m", "tests.servers"]

pytestmark = pytest.mark.slow


class Services:
    """Services that run, as their table tells: name to address, user and how it was got."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        assert process.stdout.readline().split() == ["SERVER", "ADDRESS", "USER", "IT", "WAS"]
        self.rows: dict[str, list[str]] = {}
        for line in iter(process.stdout.readline, ""):
            if not line.strip():
                break
            name, *rest = line.split()
            self.rows[name] = rest

    def port(self, name: str) -> int:
        return int(self.rows[name][0].rpartition(":")[2])

    def open(self) -> set[str]:
        """The servers that accept connections."""
        usable = [name for name, row in self.rows.items() if row[-1] != "MISSING"]
        return {name for name in usable if listening("127.0.0.1", self.port(name))}

    def end(self, how: signal.Signals, *, group: bool = False) -> tuple[int, str, str]:
        """End them; the exit code and what they said last. A terminal tells the whole group."""
        if group:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def services(*command: str, env: Mapping[str, str] | None = None) -> Iterator[Services]:
    """They run until the test is over, at the latest."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Services(process)
        finally:
            process.terminate()


def test_make_services_tells_where_each_is_until_ctrl_c() -> None:
    make = program("make")
    if make is None:
        missing("make", "apt-get install make")
    with services(str(make), "--no-print-directory", "services") as running:
        assert list(running.rows) == ["postgresql", "mariadb", "redis", "mongodb", "openbao"]
        usable = {name for name, row in running.rows.items() if row[-1] in ("found", "started")}
        assert running.open() == usable
        begun = [name for name, row in running.rows.items() if row[-1] == "started"]
        if "redis" in usable:
            with redis.Redis(port=running.port("redis")) as client:
                assert client.ping()
        _, out, _ = running.end(signal.SIGINT, group=True)
        assert f"Stopped what was started: {', '.join(begun) or 'nothing'}." in out
        assert running.open() == usable - {*begun}  # those that were there stay


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_own_servers_are_started_though_others_run_and_end_with_it(how: signal.Signals) -> None:
    with services(*MODULE, "--own", "redis", "postgresql") as running:
        needs_all(running)
        assert running.rows["postgresql"][1:] == ["postgres", "started"]
        assert running.open() == {"redis", "postgresql"}
        code, out, err = running.end(how)
        assert (code, err) == (0, "")
        assert "Stopped what was started: redis, postgresql." in out
        assert running.open() == set()


def test_all_of_them_end_where_it_is_killed() -> None:
    with services(*MODULE, "--own") as running:
        needs_all(running)
        assert len(running.open()) == 5
        running.end(signal.SIGKILL)
        assert running.open() == set()


def needs_all(running: Services) -> None:
    for name, row in running.rows.items():
        if row[-1] == "MISSING":
            missing(name, "see `make services`")


def test_what_cannot_be_had_is_said_and_the_others_run(tmp_path: Path) -> None:
    found = program("redis-server") or program("valkey-server")
    if found is None:
        missing("Redis", "apt-get install redis-server")
    for needed in (found, program("sh")):
        assert needed is not None
        (tmp_path / needed.name).symlink_to(needed)
    with services(
        *MODULE, "--own", "mariadb", "redis", env={"PATH": str(tmp_path), "CI": ""}
    ) as running:
        assert running.rows["redis"][-1] == "started"
        assert running.rows["mariadb"][-1] == "MISSING"
        code, _, err = running.end(signal.SIGINT)
        assert code == 1
        assert "*** NO MARIADB" in err
        assert "apt-get install mariadb-server" in err


@pytest.mark.parametrize("ci", ["", "true"])
def test_where_there_is_nothing_it_ends_at_once(tmp_path: Path, ci: str) -> None:
    with services(
        *MODULE, "--own", "mariadb", "redis", env={"PATH": str(tmp_path), "CI": ci}
    ) as running:
        _, err = running.process.communicate(timeout=60)
        assert running.process.returncode == 1
        assert running.rows["mariadb"] == running.rows["redis"] == ["-", "-", "MISSING"]
        assert err.count("***") == 2


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run(
        [*MODULE, "tapestry"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "no server 'tapestry'; there are postgresql, mariadb, redis" in done.stderr
