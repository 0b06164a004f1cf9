"""A process that runs one step for each of very many items, durably; it prints its memory."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.drivers.big_data_child import peak

from drawloom import Catalogue, compile_chain, load, tool
from drawloom.drivers.embedded import Engine

CHAIN = """
chain: wide
input: {n: {type: integer}}
steps:
  each: {use: my.put, for_each: "${[1..input.n]}", concurrency: 100, with: {n: "${item}"}}
output: {sum: "${$sum(steps.each)}", count: "${$count(steps.each)}"}
"""


@tool(effect="idempotent")
async def put(n: int) -> int:
    """Put it there."""
    return n


async def main(state: Path, items: int) -> None:
    tools = Catalogue([put])
    async with Engine(tools, state=state) as engine:
        result = await engine.run(compile_chain(load(CHAIN), tools.find), {"n": items})
    failure = None if result.failure is None else str(result.failure)
    print(json.dumps({"output": result.output, "failure": failure, "memory": peak()}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
