"""A process that reads a whole collection as a stream, and prints the most memory that it held."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from drawloom.connectors.databases.mongodb.connection import MongodbConnection
from drawloom.connectors.databases.mongodb.streaming import stream
from drawloom.doors import Doors
from drawloom.sdk import Context


async def main(port: int, database: str) -> None:
    settings = MongodbConnection(host="127.0.0.1", port=port, database=database)
    count = total = 0
    async with settings.open(Doors(Path("/"))) as client:
        async for chunk in stream.function(client, "big", Context(batch=1_000)):
            count += len(chunk.items)
            total += sum(one["_id"] for one in chunk.items)
    print(json.dumps({"count": count, "total": total, "memory": peak()}))


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
