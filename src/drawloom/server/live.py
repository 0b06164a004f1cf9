"""Runs as they happen: server-sent events that follow the journal of a run.

An event's id is its number in the journal, so that who comes back with the last one it
has seen (`Last-Event-ID`) gets all that came since, and none twice. Nothing is kept for
who listens: facts only say that there is something new to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from fastapi.sse import ServerSentEvent

from drawloom.drivers.embedded.store import RunRecord, Store, StoredEvent
from drawloom.facts import Fact
from drawloom.project import shapes
from drawloom.server.studio import Studio

_LOOK = 15.0  # seconds after which a run is looked at though nothing was heard of it
MOST_LISTENERS = 200


class Live:
    """Wakes who follows a run. A sink of the engine's facts."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self.count = 0
        self._stopped = False

    def stop(self) -> None:
        """Let everybody go: the server ends."""
        self._stopped = True
        for heard in [one for every in self._listeners.values() for one in every]:
            heard.set()

    def sink(self, fact: Fact) -> None:
        """Take a fact, on the event loop."""
        for heard in self._listeners.get(getattr(fact, "run", ""), ()):
            heard.set()

    async def follow(
        self, studio: Studio, run: str, after: int, may: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[ServerSentEvent]:
        """The events of a run behind the number *after*, until it is over.

        Before each look *may* says whether whoever listens still may.
        """
        heard = asyncio.Event()
        self._listeners.setdefault(run, set()).add(heard)
        self.count += 1
        try:
            while True:
                heard.clear()
                if not await may():
                    return
                record, events = await studio.stored(partial(_read, run, after))
                for event in events:
                    after = event.seq
                    yield ServerSentEvent(
                        data=shapes.event(event), event="event", id=str(event.seq)
                    )
                yield ServerSentEvent(data=shapes.record(record), event="run")
                if record.over or self._stopped:
                    return
                await _heard(heard)
        finally:
            self.count -= 1
            self._listeners[run].discard(heard)
            if not self._listeners[run]:
                del self._listeners[run]


def _read(run: str, after: int, store: Store) -> tuple[RunRecord, tuple[StoredEvent, ...]]:
    record = store.run(run)  # before its events: an end that is told has no events behind it
    return record, store.events(record, after)


async def _heard(heard: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK):
            await heard.wait()
    except TimeoutError:
        return
