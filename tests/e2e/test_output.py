"""What is written has somewhere to go, or that is said in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # real processes, one after another


PROGRAM = Path(sys.executable).with_name("drawloom")


def shell(stranger: Any, redirection: str) -> subprocess.CompletedProcess[str]:
    stranger.writes("fine.yaml", "chain: fine\nsteps: {a: {use: my.first}}\noutput: ${steps.a}\n")
    return subprocess.run(
        ["sh", "-c", f'"$0" run fine.yaml {redirection}', PROGRAM],
        cwd=stranger.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_closed_stream_stops_nothing(stranger: Any, closed: str) -> None:
    done = shell(stranger, closed)
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    assert "bug" not in done.stdout + done.stderr
    runs = stranger.types("runs", "list", "--json").json["runs"]
    assert [run["status"] for run in runs] == ["succeeded"]


def test_an_output_that_cannot_be_written_is_said(stranger: Any) -> None:
    done = shell(stranger, ">/dev/full")
    assert done.returncode == 74
    assert "drawloom: the output cannot be written: No space left on device\n" in done.stderr
    assert "bug" not in done.stderr
    runs = stranger.types("runs", "list", "--json").json["runs"]
    assert [run["status"] for run in runs] == ["succeeded"], "the run itself was not disturbed"
