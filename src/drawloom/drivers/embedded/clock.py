"""The clock of this driver; the kernel gets its time in events."""

from __future__ import annotations

import time


def now() -> int:
    """Microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000
