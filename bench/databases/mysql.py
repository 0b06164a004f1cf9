"""MySQL or MariaDB on 127.0.0.1:3306, which lets `root` in, in a database that is dropped at the end."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from pathlib import Path
from typing import Any

import asyncmy
from asyncmy.cursors import SSCursor

from bench.databases.comparing import BARE, COUNT, Race, Work, compare
from drawloom.chains import load
from drawloom.project import Project

POINTS, WORKERS, POOL, FETCHED, STREAMED = 5_000, 100, 20, 20_000, 100_000

POINT = "SELECT id, email, total FROM orders WHERE id = ?"
FETCH = f"SELECT id, email, total FROM orders WHERE id <= {FETCHED}"
STREAM = "SELECT id, email FROM orders"
POINTS_CHAIN = f"""
chain: points
connections: {{db: mysql}}
steps:
  each:
    use: mysql.query_one
    on: db
    for_each: "${{[1..{POINTS}]}}"
    concurrency: {WORKERS}
    with: {{sql: "{POINT}", args: ["${{item}}"]}}
output: "${{$count(steps.each)}}"
"""
FETCH_CHAIN = f"""
chain: fetch
connections: {{db: mysql}}
steps:
  rows: {{use: mysql.query, on: db, with: {{sql: "{FETCH}"}}}}
output: "${{steps.rows.count}}"
"""
STREAM_CHAIN = f"""
chain: stream
connections: {{db: mysql}}
steps:
  rows: {{use: mysql.stream, on: db, with: {{sql: "{STREAM}", key: id}}}}
  counts: {{use: my.count, for_each: "${{steps.rows}}", batch: 5000, with: {{rows: "${{item}}"}}}}
output: "${{$sum(steps.counts)}}"
"""


async def measure(port: int = 3306) -> list[Race]:
    """Make the database, measure, and drop it."""
    name = f"drawloom_bench_{uuid.uuid4().hex}"
    server: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "root"}
    async with asyncmy.connect(**server, autocommit=True) as admin:
        await admin.query(f"CREATE DATABASE {name}")
        try:
            await _filled(admin, name)
            options = {**server, "db": name, "minsize": POOL, "maxsize": POOL}
            async with asyncmy.create_pool(**options, autocommit=True) as pool:
                return await _through_the_engine(name, port, pool)
        finally:
            await admin.query(f"DROP DATABASE {name}")


async def _filled(admin: Any, name: str) -> None:
    """Rows of an integer, a text and a decimal each."""
    await admin.query(f"USE {name}")
    await admin.query(
        "CREATE TABLE orders (id int PRIMARY KEY, email varchar(99), total decimal(10, 2))"
    )
    await admin.query(
        "INSERT INTO orders WITH RECURSIVE digits AS (SELECT 0 AS d UNION ALL SELECT d + 1 FROM"
        " digits WHERE d < 9) SELECT n, CONCAT('user', n, '@example.org'), ROUND(n / 7, 2) FROM"
        " (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 1 AS n FROM digits a,"
        f" digits b, digits c, digits e, digits f) AS numbers WHERE n <= {STREAMED}"
    )
    await admin.query("ANALYZE TABLE orders")


async def _through_the_engine(name: str, port: int, pool: Any) -> list[Race]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "drawloom.toml").write_text(
            'tools = ["tools.py"]\n[connections.db]\nkind = "mysql"\nhost = "127.0.0.1"\n'
            f'port = {port}\nuser = "root"\ndatabase = "{name}"\nmax_connections = {POOL}\n'
        )
        (Path(folder) / "tools.py").write_text(COUNT)
        project = Project.find(Path(folder))
        async with project.engine(durability="memory") as engine:

            def chain(text: str) -> Work:
                plan = project.checked_plan(load(text))

                async def run() -> int:
                    result = await engine.run(plan, {})
                    return int(result.output)

                return run

            def race(title: str, count: int, bare: Any, text: str, bound: float) -> Any:
                ways = {BARE: bare(pool), "engine": chain(text)}
                return compare(f"{count:,} {title}", count, ways, bound)

            return [
                await race("point selects", POINTS, _bare_points, POINTS_CHAIN, 1.25),
                await race("rows fetched", FETCHED, _bare_fetch, FETCH_CHAIN, 1.10),
                await race("rows streamed", STREAMED, _bare_cursor, STREAM_CHAIN, 1.15),
            ]


def _bare_points(pool: Any) -> Work:
    async def run() -> int:
        numbers = iter(range(1, POINTS + 1))

        async def worker() -> int:
            found = 0
            for number in numbers:
                async with pool.acquire() as connection, connection.cursor() as cursor:
                    await cursor.execute(POINT.replace("?", "%s"), [number])
                    [row] = _objects(cursor, await cursor.fetchall())
                found += row["id"] == number
            return found

        return sum(await asyncio.gather(*(worker() for _ in range(WORKERS))))

    return run


def _bare_fetch(pool: Any) -> Work:
    async def run() -> int:
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(FETCH)
            return len(_objects(cursor, await cursor.fetchall()))

    return run


def _bare_cursor(pool: Any) -> Work:
    async def run() -> int:
        count = 0
        async with pool.acquire() as connection, connection.cursor(SSCursor) as cursor:
            await cursor.execute(STREAM + " ORDER BY id")
            while rows := await cursor.fetchmany(5_000):
                count += len(_objects(cursor, rows))
        return count

    return run


def _objects(cursor: Any, rows: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in rows]
