"""A new project: files that run at once, offline, and show the main constructs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from drawloom.errors import ValueInvalid

_CHAIN: Final = """\
# Which products sold best? Run it:      drawloom run hello.yaml
# Only those from 50 on:                 drawloom run hello.yaml --input least=50
# What would break it, before it runs:   drawloom check hello.yaml
# Its tests, at the end:                 drawloom test
chain: hello
version: 1.0.0
description: Adds up sales by product, and greets the products that sold well.
input:
  least: {type: number, default: 20, minimum: 0, description: What counts as sold well.}
vars:
  sales:
    - {product: tea, amount: 30.5}
    - {product: coffee, amount: 12}
    - {product: tea, amount: 24.5}
    - {product: cocoa, amount: 41}
steps:
  totals:
    use: core.aggregate
    with:
      rows: "${vars.sales}"
      by: [product]
      values: {total: {sum: amount}}
  good:
    use: core.transform
    with: {value: "${[steps.totals.rows[total >= $$.input.least]]}"}
  # One call for each product, two at a time; a `once` tool would never be repeated unasked.
  greeted:
    use: my.greeting
    for_each: "${steps.good.value}"
    concurrency: 2
    with: {product: "${item.product}", total: "${item.total}"}
    retry: {attempts: 3}
  nobody:
    use: core.log
    when: $count(steps.good.value) = 0
    with: {message: "No product sold that well."}
output: {greetings: "${steps.greeted}"}
tests:
  - name: greets what sold well
    input: {least: 50}
    expect: {output: {greetings: ["Tea sold for 55.00: well done!"]}}
  - name: says so when nothing did
    input: {least: 1000}
    expect: {output: {greetings: []}, steps: {nobody: succeeded}}
"""

_TOOLS: Final = '''\
"""Tools of this project: a signature, a docstring and an effect are all that a tool needs."""

from __future__ import annotations

from drawloom.sdk import tool


@tool(effect="pure")
def greeting(product: str, total: float) -> str:
    """Say how well a product sold."""
    return f"{product.capitalize()} sold for {total:.2f}: well done!"
'''

_SETTINGS: Final = """\
# This project's own tools: Python files that are run when tools are looked for.
tools = ["tools.py"]

# A chain names a slot (`connections: {db: sqlite}`); the connection of that name is used.
[connections.db]
kind = "sqlite"
path = "data.sqlite"
# A password is a reference, never the value:  password = {env = "PGPASSWORD"}

[state]
folder = ".drawloom"   # where runs are kept
durability = "full"    # full | relaxed | memory
keep_days = 30
"""

_TEST: Final = '''\
"""Test a chain as it is used: pip install pytest; pytest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def run(*arguments: str) -> dict:
    """Run the chain in memory; what it gives."""
    command = ["drawloom", "run", "hello.yaml", "--durability", "memory", "--json", *arguments]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_greets_what_sold_well() -> None:
    greetings = run("--input", "least=50")["output"]["greetings"]
    assert greetings == ["Tea sold for 55.00: well done!"]
'''

_IGNORE: Final = ".drawloom/\n__pycache__/\n*.sqlite*\n"

FILES: Final = {
    "drawloom.toml": _SETTINGS,
    "hello.yaml": _CHAIN,
    "tools.py": _TOOLS,
    "test_hello.py": _TEST,
    ".gitignore": _IGNORE,
}


def start_project(folder: Path) -> list[Path]:
    """Write a new project into *folder*; the files written. Nothing is ever overwritten.

    Raises `ValueInvalid` naming the files that are there already; nothing is
    written then.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise ValueInvalid(
            f"{folder} already has {', '.join(there)}; nothing was written. Name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as exc:
        raise ValueInvalid(f"cannot write {exc.filename}: {exc.strerror}") from None
    return [folder / name for name in FILES]
