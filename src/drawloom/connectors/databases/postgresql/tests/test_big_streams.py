"""More rows than belong in memory: out of a server and into a file, killed in the middle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.test_big_data import answered, begun, kill_when

CHAIN = """
chain: big
connections: {db: postgresql, data: files}
steps:
  rows: {use: postgresql.stream, on: db, with: {sql: TABLE orders, key: id}}
  write:
    use: files.append_jsonl
    on: data
    for_each: "${steps.rows}"
    batch: 1000
    concurrency: 2
    with: {path: big.jsonl, rows: "${item}"}
output: {writes: "${$count(steps.write)}"}
"""
SETTINGS = """
[connections.data]
kind = "files"
folder = "."
[connections.db]
kind = "postgresql"
host = "{host}"
port = {port}
user = "{user}"
database = "{database}"
"""
ROWS = 300_000


@pytest.mark.slow
async def test_many_rows_go_through_under_a_kill(
    tmp_path: Path, postgresql_server: Any, postgresql: dict[str, Any]
) -> None:
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**postgresql))
    (tmp_path / "big.yaml").write_text(CHAIN)
    connection = await postgresql_server.connect(postgresql["database"])
    await connection.execute(
        "CREATE TABLE orders (id int8 PRIMARY KEY, note text);"
        " INSERT INTO orders SELECT n, repeat('woven, ', 100)"
        f" FROM generate_series(1, {ROWS}) AS n; ANALYZE orders"
    )
    await connection.close()
    child = begun(tmp_path)
    kill_when(child, lambda: answered(tmp_path, "write") > 20)
    told = json.loads(begun(tmp_path).communicate()[0])
    assert told["status"] == "succeeded", told
    assert told["output"] == {"writes": ROWS // 1_000}
    with (tmp_path / "big.jsonl").open() as file:
        ids = sorted(json.loads(line)["id"] for line in file)
    assert ids == list(range(1, ROWS + 1))
    assert (tmp_path / "big.jsonl").stat().st_size > 200 << 20
    assert told["memory"] < 200 << 20, told["memory"]


COPIES = """
chain: big
connections: {db: postgresql}
steps:
  rows: {use: postgresql.stream, on: db, with: {sql: TABLE orders, key: id}}
  load: {use: postgresql.copy_in, on: db, timeout: 1h, with: {table: copies, rows: "${steps.rows}"}}
output: {loaded: "${steps.load.count}"}
"""
MANY = 1_000_000


@pytest.mark.slow
async def test_a_million_rows_out_and_in_again(
    tmp_path: Path, postgresql_server: Any, postgresql: dict[str, Any]
) -> None:
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**postgresql))
    (tmp_path / "big.yaml").write_text(COPIES)
    connection = await postgresql_server.connect(postgresql["database"])
    await connection.execute(
        "CREATE TABLE orders (id int8 PRIMARY KEY, note text); CREATE TABLE copies (LIKE orders);"
        f" INSERT INTO orders SELECT n, 'row ' || n FROM generate_series(1, {MANY}) AS n;"
        " ANALYZE orders"
    )
    told = json.loads(begun(tmp_path).communicate()[0])
    assert told["status"] == "succeeded", told
    assert told["output"] == {"loaded": MANY}
    lost = "SELECT count(*) FROM (TABLE orders EXCEPT ALL TABLE copies) AS x"
    assert await connection.fetchval(lost) == 0
    await connection.close()
    assert told["memory"] < 150 << 20, told["memory"]
