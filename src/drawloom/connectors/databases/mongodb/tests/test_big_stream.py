"""A collection that memory does not hold goes through the engine bit by bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.test_big_data import begun

CHAIN = """
chain: big
connections: {db: mongodb, data: files}
steps:
  documents: {use: mongodb.stream, on: db, with: {collection: big}}
  write:
    use: files.append_jsonl
    on: data
    for_each: "${steps.documents}"
    batch: BATCH
    concurrency: 2
    with: {path: big.jsonl, rows: "${item}"}
output: {writes: "${$count(steps.write)}"}
"""
SETTINGS = """
[connections.data]
kind = "files"
folder = "."
[connections.db]
kind = "mongodb"
host = "{host}"
port = {port}
database = "{database}"
"""
PORTION = 10_000  # documents at once


@pytest.mark.slow
def test_a_million_documents_in_little_memory(tmp_path: Path, mongodb: Any, raw: Any) -> None:
    """SecantusDB reads a whole collection for each portion: it gets fewer, in larger ones.

    A million there takes 13 minutes and the same 96 MB: bench/databases/mongodb_stream.py.
    """
    small = raw.client.admin.command("hello").get("setName") == "secantus"
    count, batch = (200_000, 20_000) if small else (1_000_000, 1_000)
    told = streamed(tmp_path, raw, mongodb, count, batch)
    assert told["memory"] < 150 << 20


def streamed(
    folder: Path,
    database: Any,
    place: dict[str, Any],
    count: int,
    batch: int,
    settings: str = SETTINGS,
) -> dict[str, Any]:
    """Stream so many documents through the engine, in a process of its own; what that tells."""
    for start in range(0, count, PORTION):
        some = range(start, min(start + PORTION, count))
        database["big"].insert_many([{"_id": n, "name": f"woven {n}"} for n in some])
    (folder / "drawloom.toml").write_text(settings.format(**place))
    (folder / "big.yaml").write_text(CHAIN.replace("BATCH", str(batch)))
    told: dict[str, Any] = json.loads(begun(folder).communicate()[0])
    assert told["status"] == "succeeded", told
    assert told["output"] == {"writes": count // batch}
    with (folder / "big.jsonl").open() as file:
        ids = sorted(json.loads(line)["_id"] for line in file)
    assert ids == list(range(count)), "each document once"
    return told
