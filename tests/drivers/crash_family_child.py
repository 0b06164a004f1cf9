"""A process that runs a chain of every construct, and kills itself: see `crash_child`.

The chain starts another one, waits, reads a stream, and fails: then what was
done is undone, and the chain for failures runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from tests.drivers import crash_child
from tests.drivers.crash_child import FOLDER, append, key, look, plant

from drawloom.chains import compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.store import Store
from drawloom.runtime import Catalogue
from drawloom.sdk import Chunk, Context, tool

CHAINS = {
    "inner": """
chain: inner
input: {n: {type: integer}}
steps: {a: {use: my.key, with: {n: "${input.n}"}}}
output: "${steps.a}"
""",
    "tell": """
chain: tell
input: {run: {type: string}}
steps: {a: {use: my.key, with: {n: 9}}}
output: "${input.run}"
""",
    "outer": """
chain: outer
on_failure: tell
steps:
  first: {use: my.key, with: {n: 1}, compensate: {use: my.key, with: {n: "${output}"}}}
  sub:
    use: core.chain
    after: [first]
    with: {chain: inner, input: {n: "${steps.first}"}}
  pause: {use: core.wait, after: [sub], with: {duration: 5ms}}
  source: {use: my.numbers}
  each:
    use: my.key
    for_each: "${steps.source}"
    batch: 2
    concurrency: 2
    after: [pause]
    with: {n: "${item[0]}"}
  second:
    use: my.key
    after: [each]
    with: {n: 2}
    compensate: {use: my.key, with: {n: 2}}
  bad: {use: core.fail, after: [second], with: {message: too bad}}
""",
}


@tool(effect="read")
async def numbers(context: Context) -> AsyncIterator[Chunk[int]]:
    """Seven numbers."""
    at = context.after or 0
    while at < 7:
        items = list(range(at, min(7, at + context.batch)))
        at += len(items)
        yield Chunk(items, at)


def catalogue() -> Catalogue:
    return Catalogue([look, key, numbers])


async def main() -> dict[str, Any]:
    tools = catalogue()
    async with Engine(tools, state=FOLDER / "state") as engine:
        if not engine.recovered and not (FOLDER / "acknowledged").exists():
            plan = compile_chain(
                load(CHAINS["outer"]), tools.find, find_chain=lambda name: load(CHAINS[name])
            )
            append("acknowledged", await engine.start(plan, run_id="r"))
        await engine.settled()
        await engine.flush()
    with Store(FOLDER / "state") as store:
        return {run.id: [run.chain, run.status] for run in store.list()}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        where, _, at = sys.argv[2].partition(":")
        if where == "effect":
            crash_child.KILL_AT_EFFECT = int(at)
        else:
            plant(where, int(at))
    print(json.dumps(asyncio.run(main())))
