"""The memory of a stream: `python -m bench.databases.mongodb_stream [COUNT] [BATCH]`.

A chain of a process of its own reads COUNT documents of MongoDB and writes them to a
file, BATCH at a time. Starts a server of its own; where that is SecantusDB, which looks
through the whole collection for each batch, a million in batches of 20,000 take a
quarter of an hour.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.servers.mongodb import start_mongodb

from drawloom.connectors.databases.mongodb.tests.test_big_stream import SETTINGS, streamed


def main(count: int = 1_000_000, batch: int = 20_000) -> None:
    with (
        start_mongodb() as server,
        server.connect() as client,
        tempfile.TemporaryDirectory() as name,
    ):
        began = perf_counter()
        # A batch of a large collection takes SecantusDB longer than the 30 s that are given.
        slow = f"{SETTINGS}timeout = 300\n"
        told = streamed(Path(name), client["big"], server.settings("big"), count, batch, slow)
        taken = perf_counter() - began
    print(f"{count} documents in {taken:.0f} s, {told['memory'] / 1e6:.0f} MB at most")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
