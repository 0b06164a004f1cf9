"""A process that loads a big CSV file into SQLite and writes it out as JSON Lines.

It is meant to be killed: started again, it takes the run up where it stood. In
the end it prints how the run ended, and the most memory that it held, in bytes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from drawloom.project import Project

RUN = "big"


async def main(folder: Path) -> None:
    project = Project.find(folder)
    async with project.engine() as engine:
        if RUN not in engine.active():
            plan = project.checked_plan(project.load_chain(folder / "big.yaml"))
            bound = project.bindings(plan)
            await engine.start(plan, {}, run_id=RUN, bindings=bound.slots)
        result = await engine.outcome(RUN)
        failure = result.failure and result.failure.message
    told = {"status": result.status, "output": result.output, "failure": failure}
    print(json.dumps({**told, "memory": peak()}))


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
