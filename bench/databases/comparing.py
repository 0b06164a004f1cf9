"""One piece of work done in several ways, in turns: the medians, and what each costs over the bare driver."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from rich.console import Console
from rich.table import Table

from bench.measure import check
from bench.table import COLOURS

Work = Callable[[], Awaitable[int]]

ROUNDS = 7
# What a chain does with the rows of a stream is not the stream's: next to nothing.
COUNT = '''
from drawloom.sdk import Json, tool


@tool(effect="pure", inline=True, readonly_input=True)
def count(rows: list[Json]) -> int:
    """Count rows."""
    return len(rows)
'''
BARE = "bare"


@dataclass(frozen=True, slots=True)
class Race:
    """The median seconds of each way. The way `judged` may cost *bound* times the bare driver."""

    title: str
    seconds: Mapping[str, float]
    judged: str
    bound: float

    def ratio(self, way: str) -> float:
        """Its time over that of the bare driver."""
        return self.seconds[way] / self.seconds[BARE]

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        return "PASS" if self.ratio(self.judged) <= self.bound else "MISS"


async def compare(
    title: str, expected: int, ways: Mapping[str, Work], bound: float, judged: str = "engine"
) -> Race:
    """Do the work in turns; each way must give the number *expected*. The first round warms up."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, work in ways.items():
            began = perf_counter()
            check(expected, await work())
            taken[way].append(perf_counter() - began)
    medians = {way: statistics.median(times[1:]) for way, times in taken.items()}
    return Race(title, medians, judged, bound)


def show(name: str, races: Sequence[Race]) -> None:
    """A table of what was measured."""
    table = Table(title=name, title_justify="left")
    for heading in ("work", "way", "ms", "of the bare driver", "at most", ""):
        table.add_column(heading, justify="left" if heading in ("work", "way", "") else "right")
    for race in races:
        for way, seconds in race.seconds.items():
            judged = way == race.judged
            verdict = f"[{COLOURS[race.verdict]}]{race.verdict}" if judged else ""
            table.add_row(
                race.title if way == BARE else "",
                way,
                f"{seconds * 1e3:,.1f}",
                f"{race.ratio(way):.2f}",
                f"{race.bound:.2f}" if judged else "",
                verdict,
            )
    Console().print(table)


def crowd(calls: int, at_once: int, call: Callable[[], Awaitable[object]]) -> Work:
    """So many calls, *at_once* of them at a time; each must give something."""

    async def work() -> int:
        left = iter(range(calls))

        async def one() -> int:
            return sum([await call() is not None for _ in left])

        return sum(await asyncio.gather(*(one() for _ in range(at_once))))

    return work
