"""Tools that tests call: each says what happened to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.runtime import Catalogue
from drawloom.sdk import Context, Json, Tool, tool

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Lab:
    """Tools of one test, and a count of their calls. *sleep* is the driver's own."""

    sleep: Sleep = asyncio.sleep
    called: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0

    def catalogue(self, *more: Tool) -> Catalogue:
        return Catalogue([*self.tools(), *more])

    def tools(self) -> list[Tool]:
        """`my.echo`, `my.inline`, `my.flaky`, `my.fail`, `my.pause`, `my.once`, `my.keyed`."""

        @tool(effect="read", readonly_input=True)
        async def echo(v: Json = None) -> Json:
            """Give back what came in."""
            self.called["echo"] += 1
            return v

        @tool(effect="pure", inline=True)
        def inline(v: int) -> int:
            """Add one."""
            self.called["inline"] += 1
            return v + 1

        @tool(effect="read")
        async def flaky(times: int, v: Json = None) -> Json:
            """Be throttled so many times, then give back what came in."""
            self.called["flaky"] += 1
            if self.called["flaky"] <= times:
                raise ToolError(Failure(FailureKind.THROTTLED, "not yet"))
            return v

        @tool(effect="once")
        async def fail(kind: str, harmless: bool = False) -> None:
            """Fail in the way that is asked for."""
            self.called["fail"] += 1
            raise ToolError(Failure(FailureKind(kind), f"asked to be {kind}", harmless=harmless))

        @tool(effect="idempotent")
        async def pause(seconds: float, v: Json = None) -> Json:
            """Take time, then give back what came in."""
            self.called["pause"] += 1
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            try:
                await self.sleep(seconds)
            finally:
                self.busy -= 1
            return v

        @tool(effect="once")
        async def once(seconds: float = 0.0, v: Json = None) -> Json:
            """Do something that must not happen twice."""
            self.called["once"] += 1
            await self.sleep(seconds)
            return v

        @tool(effect="keyed")
        async def keyed(context: Context, v: Json = None) -> Json:
            """Note the key that came along."""
            self.keys.append(context.key)
            if self.called["keyed"] == 0 and v == "fail first":
                self.called["keyed"] += 1
                raise ToolError(Failure(FailureKind.TRANSIENT, "the line broke"))
            self.called["keyed"] += 1
            return v

        return [echo, inline, flaky, fail, pause, once, keyed]


def steps(**steps: Any) -> dict[str, Any]:
    """A chain document with these steps."""
    return {"chain": "test", "steps": steps}
