"""Files and functions stay small enough to read at one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/drawloom"

LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# Each exception stands beside its reason; without one, split the thing.
ALLOWED = {
    "kernel/run.py": "one class decides everything about a run, and no other may change a status",
    "drivers/embedded/pump.py": "one loop carries out every command; its order is the promise",
}


def modules() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if "tests" not in path.parts]


def files() -> dict[str, int]:
    """Lines of each module, by its path from the sources."""
    return {str(p.relative_to(SOURCE)): len(p.read_text().splitlines()) for p in modules()}


def functions() -> dict[str, int]:
    """Lines of each function, as `module.py:name`."""
    return {f"{p.relative_to(SOURCE)}:{name}": n for p in modules() for name, n in _in(p)}


def _in(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def report(title: str, sizes: dict[str, int]) -> None:
    """Print the longest ten, and the median: `pytest -rP` shows them."""
    ranked = sorted(sizes.items(), key=lambda item: -item[1])
    median = ranked[len(ranked) // 2][1]
    print(f"{title}: {len(ranked)}, median {median} lines; the longest:")
    for name, lines in ranked[:10]:
        print(f"  {lines:4} {name}")


def test_files_are_short() -> None:
    sizes = files()
    report("files", sizes)
    assert {n: s for n, s in sizes.items() if s > LONGEST_FILE and n not in ALLOWED} == {}


def test_functions_are_short() -> None:
    sizes = functions()
    report("functions", sizes)
    assert {n: s for n, s in sizes.items() if s > LONGEST_FUNCTION and n not in ALLOWED} == {}


def test_half_of_all_functions_have_fewer_than_ten_lines() -> None:
    ranked = sorted(functions().values())
    assert ranked[len(ranked) // 2] < 10


def test_exceptions_are_still_needed() -> None:
    long = {n for n, s in files().items() if s > LONGEST_FILE}
    long |= {n for n, s in functions().items() if s > LONGEST_FUNCTION}
    assert ALLOWED.keys() <= long, "remove what is no longer long from ALLOWED"
