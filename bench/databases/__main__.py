"""`python -m bench.databases [NAME …]`: what each database connector costs over its bare driver."""

from __future__ import annotations

import asyncio
import gc
import sys
from importlib import import_module

from bench.databases.comparing import show

NAMES = ("postgresql", "mysql", "mongodb", "redis")


def main(names: list[str]) -> None:
    """Measure one after the other; a server that is not there is told of loudly."""
    for name in names or NAMES:
        try:
            measure = import_module(f"bench.databases.{name}").measure
            gc.freeze()  # as the command line does
            show(name, asyncio.run(measure()))
        except OSError as exc:
            print(f"{name}: NOT MEASURED, for its server is not there: {exc}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
