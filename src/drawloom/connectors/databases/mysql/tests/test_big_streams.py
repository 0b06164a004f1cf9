"""A million rows from one table into another, through the engine, in a process that is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[6]
# aiomysql takes twice the time for a row, and no more memory.
ROWS = {"asyncmy": 1_000_000, "aiomysql": 200_000}
CHAIN = """
chain: big
connections: {db: mysql}
steps:
  orders: {use: mysql.stream, on: db, with: {sql: "SELECT id, email FROM orders", key: id}}
  copy:
    use: mysql.load
    on: db
    with: {table: copies, rows: "${steps.orders}"}
output: {count: "${steps.copy.count}"}
"""
SETTINGS = """
[connections.db]
kind = "mysql"
host = "{host}"
port = {port}
user = "{user}"
database = "{database}"
driver = "{driver}"
"""


@pytest.mark.slow
async def test_a_million_rows_in_bounded_memory(
    mysql_server: Any, mysql: dict[str, Any], driver: str, tmp_path: Path
) -> None:
    rows = ROWS[driver]
    await mysql_server.run(
        "CREATE TABLE orders (id int PRIMARY KEY, email varchar(99))",
        "CREATE TABLE copies LIKE orders",
        f"INSERT INTO orders SELECT seq, CONCAT(seq, '@example.org') FROM seq_1_to_{rows}",
        database=mysql["database"],
    )
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**mysql, driver=driver))
    (tmp_path / "big.yaml").write_text(CHAIN)
    told = json.loads(copied(tmp_path))
    assert (told["status"], told["output"]) == ("succeeded", {"count": rows}), told
    same = "SELECT COUNT(*) FROM orders JOIN copies USING (id, email)"
    assert int((await mysql_server.run(same, database=mysql["database"]))[0][0]) == rows
    assert told["memory"] < 150 << 20


def copied(folder: Path) -> str:
    """What the process says of the run."""
    child = [sys.executable, "-m", "tests.drivers.big_data_child", str(folder)]
    return subprocess.run(child, cwd=ROOT, capture_output=True, text=True, check=True).stdout
