"""PostgreSQL on 127.0.0.1:5432, which trusts `postgres`, in a database that is dropped at the end."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg

from bench.databases.comparing import BARE, COUNT, Race, Work, compare
from drawloom.chains import load
from drawloom.connectors.databases.postgresql import copy_files, copying
from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Context, Row, Stream

SERVER: dict[str, Any] = {"host": "127.0.0.1", "port": 5432, "user": "postgres", "ssl": False}
POINTS, WORKERS, POOL, FETCHED, STREAMED = 5_000, 100, 20, 20_000, 100_000
FILED = 1_000_000

POINT = "SELECT id, email, total FROM orders WHERE id = $1"
FETCH = f"SELECT id, email, total::float8 AS total FROM orders WHERE id <= {FETCHED}"
STREAM = "SELECT id, email FROM orders"
EXPORT = (
    f"SELECT n AS id, 'user' || n || '@example.org' AS email FROM generate_series(1, {FILED}) n"
)
POINTS_CHAIN = f"""
chain: points
connections: {{db: postgresql}}
steps:
  each:
    use: postgresql.query_one
    on: db
    for_each: "${{[1..{POINTS}]}}"
    concurrency: {WORKERS}
    with: {{sql: "{POINT}", args: ["${{item}}"]}}
output: "${{$count(steps.each)}}"
"""
FETCH_CHAIN = f"""
chain: fetch
connections: {{db: postgresql}}
steps:
  rows: {{use: postgresql.query, on: db, with: {{sql: "{FETCH}"}}}}
output: "${{steps.rows.count}}"
"""
STREAM_CHAIN = f"""
chain: stream
connections: {{db: postgresql}}
steps:
  rows: {{use: postgresql.stream, on: db, with: {{sql: "{STREAM}", key: id}}}}
  counts: {{use: my.count, for_each: "${{steps.rows}}", batch: 5000, with: {{rows: "${{item}}"}}}}
output: "${{$sum(steps.counts)}}"
"""


async def measure() -> list[Race]:
    """Make the database, measure, and drop it."""
    name = f"drawloom_bench_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(**SERVER, database="postgres")
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        async with asyncpg.create_pool(**SERVER, database=name, max_size=POOL) as pool:
            await pool.execute(
                "CREATE TABLE orders (id int8 PRIMARY KEY, email text, total numeric(10, 2));"
                " INSERT INTO orders SELECT n, 'user' || n || '@example.org', n / 7.0"
                f" FROM generate_series(1, {STREAMED}) AS n; ANALYZE orders;"
                " CREATE TABLE copies (id int8, email text)"
            )
            return [
                *await _through_the_engine(name, pool),
                await _copies(name, pool),
                *await _files(name, pool),
            ]
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def _through_the_engine(name: str, pool: Any) -> list[Race]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "drawloom.toml").write_text(
            'tools = ["tools.py"]\n[connections.db]\nkind = "postgresql"\nhost = "127.0.0.1"\nuser = "postgres"\n'
            f'database = "{name}"\nmax_connections = {POOL}\n'
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


async def _copies(name: str, pool: Any) -> Race:
    rows = [{"id": n, "email": f"user{n}@example.org"} for n in range(STREAMED)]

    async def bare() -> int:
        await pool.execute("TRUNCATE copies")
        records = [tuple(row.values()) for row in rows]
        done = await pool.copy_records_to_table("copies", records=records, columns=list(rows[0]))
        return int(done.rpartition(" ")[2])

    made = PostgresqlConnection(host="127.0.0.1", user="postgres", database=name)
    async with made.open(Doors(Path())) as client:

        async def ours() -> int:
            await pool.execute("TRUNCATE copies")
            key = Context(key=uuid.uuid4().hex)
            done = await copying.copy_in(client, "copies", Stream(_chunks(rows)), key)
            return int(done["count"])

        ways = {BARE: bare, "tool": ours}
        return await compare(f"{STREAMED:,} rows copied", STREAMED, ways, 1.15, "tool")


async def _files(name: str, pool: Any) -> list[Race]:
    """As many rows as are worth a file: fewer, and it is the disk's sync that is measured."""
    with tempfile.TemporaryDirectory() as folder:
        made = PostgresqlConnection(
            host="127.0.0.1", user="postgres", database=name, folder=folder
        )
        async with made.open(Doors(Path())) as client:
            path = Path(folder) / "bare"
            out = {BARE: _bare_export(pool, path), "tool": _export(client)}
            back = {BARE: _bare_import(pool, path), "tool": _import(client, pool)}
            return [
                await compare(f"{FILED:,} rows to a file", FILED, out, 1.15, "tool"),
                await compare(f"{FILED:,} rows from a file", FILED, back, 1.15, "tool"),
            ]


def _bare_export(pool: Any, path: Path) -> Work:
    async def run() -> int:
        done = await pool.copy_from_query(EXPORT, output=path, format="csv", header=True)
        return int(done.rpartition(" ")[2])

    return run


def _export(client: Any) -> Work:
    async def run() -> int:
        return int((await copy_files.copy_to_file(client, "ours", sql=EXPORT))["count"])

    return run


def _bare_import(pool: Any, path: Path) -> Work:
    async def run() -> int:
        await pool.execute("TRUNCATE copies")
        done = await pool.copy_to_table("copies", source=path, format="csv", header=True)
        return int(done.rpartition(" ")[2])

    return run


def _import(client: Any, pool: Any) -> Work:
    async def run() -> int:
        await pool.execute("TRUNCATE copies")
        key = Context(key=uuid.uuid4().hex)
        return int((await copy_files.copy_from_file(client, "copies", "ours", key))["count"])

    return run


async def _chunks(rows: list[Row]) -> AsyncIterator[list[Row]]:
    for at in range(0, len(rows), 1_000):
        yield rows[at : at + 1_000]


def _bare_points(pool: Any) -> Work:
    async def run() -> int:
        numbers = iter(range(1, POINTS + 1))

        async def worker() -> int:
            found = 0
            for number in numbers:
                found += dict(await pool.fetchrow(POINT, number))["id"] == number
            return found

        return sum(await asyncio.gather(*(worker() for _ in range(WORKERS))))

    return run


def _bare_fetch(pool: Any) -> Work:
    async def run() -> int:
        return len([dict(row) for row in await pool.fetch(FETCH)])

    return run


def _bare_cursor(pool: Any) -> Work:
    async def run() -> int:
        count = 0
        async with pool.acquire() as connection, connection.transaction():
            cursor = await connection.cursor(STREAM + " ORDER BY id")
            while rows := await cursor.fetch(5_000):
                count += len([dict(row) for row in rows])
        return count

    return run
