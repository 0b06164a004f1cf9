"""No server outlives who started it, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.servers.lookup import listening
from tests.servers.redis import start_redis
from tests.servers.starting import scratch, started

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_pytest_that_ends_leaves_no_server(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider"]
    pytest_ = subprocess.Popen(
        [*command, "tests/servers/held.py"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert pytest_.stdout is not None
    servers = json.loads(next(line for line in pytest_.stdout if line.startswith("[{")))
    assert all(listening("127.0.0.1", server["port"]) for server in servers)
    pytest_.send_signal(how)
    pytest_.communicate(timeout=60)  # the guard has the same stderr: it is done, too
    for server in servers:
        assert not listening("127.0.0.1", server["port"])
        assert not Path(server["folder"]).exists()
        assert not running(server["pid"])


def running(pid: int) -> bool:
    """Whether a process runs; one that is over, and that nobody has asked about, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_server_outlives_the_thread_that_started_it() -> None:
    with start_redis() as server:
        server.stop()
        again = threading.Thread(target=server.start)
        again.start()
        again.join()
        assert server.ask("PING")


def test_a_process_is_the_server_itself_in_a_session_of_its_own() -> None:
    with scratch("started-") as folder:
        process = started(["sleep", "60"], log=folder / "log")
        try:
            while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
                assert process.poll() is None
            assert os.getsid(process.pid) == process.pid
            assert os.readlink(f"/proc/{process.pid}/fd/0") == "/dev/null"
        finally:
            process.kill()
            process.wait()


def test_what_a_server_says_is_in_its_log() -> None:
    with scratch("started-") as folder:
        assert started(["sh", "-c", "echo out; echo err >&2"], log=folder / "log").wait(60) == 0
        assert (folder / "log").read_text() == "out\nerr\n"


WITHOUT = "import os; del os.pidfd_open; import runpy; runpy.run_path({!r}, run_name='__main__')"


@pytest.mark.parametrize("descriptors", [True, False])
def test_the_guard_needs_no_descriptors_of_processes(tmp_path: Path, descriptors: bool) -> None:
    guard = str(Path(__file__).with_name("guard.py"))
    (tmp_path / "data").mkdir()
    server = subprocess.Popen(["sleep", "60"], start_new_session=True)
    over = subprocess.Popen(["true"], start_new_session=True)
    over.wait()
    subprocess.run(
        [sys.executable, guard] if descriptors else [sys.executable, "-c", WITHOUT.format(guard)],
        input=f"{tmp_path}/data\n{over.pid}\n{server.pid}\n".encode(),
        timeout=60,
        check=True,
    )
    assert server.wait(60) == -signal.SIGKILL
    assert not (tmp_path / "data").exists()
