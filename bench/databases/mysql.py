"""MySQL and MariaDB: `python -m bench.databases.mysql [PORT]`, on a server that lets `root` in.

The same work by the bare driver, by the tool's function, and by the engine's way
of calling a tool (arguments and output checked, faults named, time measured).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from drawloom.connectors.databases.mysql import connector
from drawloom.connectors.databases.mysql.connection import MysqlConnection
from drawloom.runtime.calling import Prepared
from drawloom.sdk import Context
from drawloom.sdk.doors import Doors

DATABASE = "drawloom_bench"
ROWS, POINTS, AT_ONCE, POOL, ROUNDS = 20_000, 4_000, 100, 20, 7
SELECT_ALL = "SELECT id, name, total FROM t"
Work = Callable[[], Awaitable[Any]]


async def main(port: int) -> None:
    """Print a line for each kind of work."""
    import asyncmy

    given: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "root"}
    async with asyncmy.connect(**given, autocommit=True) as connection:
        await prepare(connection)
        try:
            await measure(given)
        finally:
            await connection.query(f"DROP DATABASE {DATABASE}")


async def prepare(connection: Any) -> None:
    """A table of rows with an integer, a text and a decimal each."""
    rows = f"SELECT seq, CONCAT('row ', seq), seq / 7 FROM seq_1_to_{ROWS}"
    for sql in (
        f"CREATE DATABASE {DATABASE}",
        f"USE {DATABASE}",
        "CREATE TABLE t (id int PRIMARY KEY, name varchar(99), total decimal(9, 2))",
        f"INSERT INTO t {rows}",
    ):
        await connection.query(sql)


async def measure(given: dict[str, Any]) -> None:
    """Every kind of work, each in all of its ways."""
    import asyncmy

    made = MysqlConnection(**given, database=DATABASE, max_connections=POOL)
    options = {**given, "db": DATABASE, "minsize": POOL, "maxsize": POOL}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            asyncmy.create_pool(**options, autocommit=True) as bare,
            made.open(Doors(Path(folder))) as client,
        ):
            for name, works in work(bare, client).items():
                print(name, *await compared(works), sep="  ", flush=True)


def work(bare: Any, client: Any) -> dict[str, dict[str, Work]]:
    """By the kind of work, the ways to do it."""
    point = "SELECT id, name, total FROM t WHERE id = ?"
    query, stream = connector.tools["mysql.query"], connector.tools["mysql.stream"].function
    prepared = Prepared(query)

    async def bare_rows(sql: str, args: Any = None) -> Any:
        async with bare.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(sql.replace("?", "%s"), args)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def by_engine(sql: str, args: Any = None) -> Any:
        return await called(prepared, client, {"sql": sql, "args": args})

    async def bare_stream() -> None:
        from asyncmy.cursors import SSCursor

        async with bare.acquire() as connection, connection.cursor(SSCursor) as cursor:
            await cursor.execute(f"{SELECT_ALL} ORDER BY id")
            while await cursor.fetchmany(1_000):
                pass

    async def by_stream() -> None:
        context = Context(batch=1_000)
        async for _ in stream(client, sql=SELECT_ALL, key="id", context=context):
            pass

    def points(one: Callable[[str, list[int]], Awaitable[Any]]) -> Work:
        return lambda: many(lambda n: one(point, [n % ROWS + 1]))

    return {
        "4,000 point selects, 100 at once": {
            "bare": points(bare_rows),
            "tool": points(lambda sql, args: query.function(client, sql, args)),
            "engine": points(by_engine),
        },
        "20,000 rows": {
            "bare": lambda: bare_rows(SELECT_ALL),
            "tool": lambda: query.function(client, SELECT_ALL),
            "engine": lambda: by_engine(SELECT_ALL),
        },
        "20,000 rows as a stream": {"bare": bare_stream, "tool": by_stream},
    }


async def called(prepared: Prepared, client: Any, args: dict[str, Any]) -> Any:
    """One call as the engine makes it: what goes in and what comes out is checked."""
    if prepared.takes is not None:
        args = prepared.takes(args, Context())
    return prepared.check(await prepared.function(client, **args), args)


async def many(one: Callable[[int], Awaitable[Any]]) -> None:
    """All the points, so many at once."""

    async def some(first: int) -> None:
        for number in range(first, POINTS, AT_ONCE):
            await one(number)

    await asyncio.gather(*(some(first) for first in range(AT_ONCE)))


async def compared(works: dict[str, Work]) -> list[str]:
    """The median of each, in turns, and how much more than the first it is."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name, one in works.items():
            began = perf_counter()
            await one()
            if turn:  # the first warms up
                taken[name].append(perf_counter() - began)
    least = statistics.median(taken["bare"])
    medians = {name: statistics.median(times) for name, times in taken.items()}
    return [f"{n}: {m * 1_000:.0f} ms ({m / least - 1:+.0%})" for n, m in medians.items()]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3306))
