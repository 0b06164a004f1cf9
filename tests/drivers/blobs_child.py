"""A process with very many runs that hold a large value each; it prints its memory."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.drivers.big_data_child import peak

from drawloom import Catalogue, compile_chain, load, tool
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.blobs import FOLDER
from drawloom.sdk import Json

RUNS = 300
CHAIN = """
chain: large
input: {n: {type: integer}}
steps:
  make: {use: my.make, with: {n: "${input.n}"}}
  wait: {use: core.wait, with: {signal: go}, after: [make]}
  sum: {use: my.sum_up, with: {rows: "${steps.make.rows}"}, after: [wait]}
output: "${steps.sum}"
"""


@tool(effect="read")
async def make(n: int) -> dict[str, Json]:
    """Make two megabytes, each time others."""
    return {"rows": [{"id": i, "note": f"{n} " * 600} for i in range(1000)], "n": n}


@tool(effect="read", readonly_input=True)
async def sum_up(rows: list[Json]) -> int:
    """Add up the ids."""
    return sum(row["id"] for row in rows)  # type: ignore[call-overload, index, misc]


async def main(state: Path) -> None:
    tools = Catalogue([make, sum_up])
    plan = compile_chain(load(CHAIN), tools.find)
    async with Engine(tools, state=state, durability="relaxed") as engine:
        runs = [await engine.start(plan, {"n": n}) for n in range(RUNS)]
        for run in runs:
            await engine.wait(run)
        for run in runs:
            await engine.signal(run, "go")
        sums = [(await engine.outcome(run)).output for run in runs]
    size = sum(path.stat().st_size for path in (state / FOLDER).glob("??/*"))
    print(json.dumps({"sums": sums, "memory": peak(), "bytes": size}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
