"""How full the driver's pool is, by what the driver says of each connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.monitoring import ConnectionPoolListener

from drawloom.sdk.pooling import Places, PoolState, Reports


class PoolWatch(ConnectionPoolListener):
    """Counts connections that are open and in use. The monitors' own are not of a pool."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open = self._used = 0
        self._places: Places | None = None
        self._reports = Reports(lambda: self.state)

    @property
    def state(self) -> PoolState:
        """How full it is, at this moment."""
        waiting = 0 if self._places is None else self._places.waiting
        return PoolState(self._open, self._open - self._used, waiting)

    def watch(self, told: Callable[[PoolState], None]) -> None:
        """Have *told* called with the state; see `drawloom.sdk.pooling.Pool.watch`."""
        self._reports.watch(told)

    def waits_at(self, places: Places) -> None:
        """Count those who wait for a place there."""
        self._places = places
        places.watch = self._reports.changed

    def stop(self) -> None:
        """Tell no more."""
        self._reports.stop()
        if self._places is not None:
            self._places.stop()

    def connection_created(self, event: Any) -> None:
        self._open += 1
        self._reports.changed()

    def connection_closed(self, event: Any) -> None:
        self._open -= 1
        self._reports.changed()

    def connection_checked_out(self, event: Any) -> None:
        self._used += 1

    def connection_checked_in(self, event: Any) -> None:
        self._used -= 1

    def pool_created(self, event: Any) -> None: ...
    def pool_ready(self, event: Any) -> None: ...
    def pool_cleared(self, event: Any) -> None: ...
    def pool_closed(self, event: Any) -> None: ...
    def connection_ready(self, event: Any) -> None: ...
    def connection_check_out_started(self, event: Any) -> None: ...
    def connection_check_out_failed(self, event: Any) -> None: ...
