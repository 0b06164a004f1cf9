"""A collection that memory does not hold goes through bit by bit."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

COUNT, PORTION = 1_000_000, 10_000
CHILD = "drawloom.connectors.databases.mongodb.tests.big_stream_child"


@pytest.mark.slow
def test_a_million_documents_in_little_memory(mongodb_server: Any, mongodb: Any, raw: Any) -> None:
    """SecantusDB takes 2,000 documents a second and sorts for each portion: it gets fewer."""
    small = raw.client.admin.command("hello").get("setName") == "secantus"
    count = COUNT // 50 if small else COUNT
    for start in range(0, count, PORTION):
        some = range(start, min(start + PORTION, count))
        raw["big"].insert_many([{"_id": n, "name": f"woven {n}"} for n in some])
    done = subprocess.run(
        [sys.executable, "-m", CHILD, str(mongodb_server.port), mongodb["database"]],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert (told["count"], told["total"]) == (count, count * (count - 1) // 2)
    print(f"{count} documents, most memory: {told['memory'] / 1e6:.0f} MB")
    assert told["memory"] < 150 << 20
