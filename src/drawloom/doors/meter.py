"""Bytes in and out of one call, counted where they pass a door."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Meter:
    """What one call moved, in bytes.

    The network door counts HTTP heads and bodies as they are on the wire,
    compressed, without TLS and chunk framing; the folder door counts what is
    read from and written to files. `quota` is what the last answer said of the
    service's rate limit: calls, and the seconds that they are for.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    quota: tuple[int, float] | None = None  # calls that the service still takes, for how long


# Whoever makes a call sets a fresh meter round it; without one nothing is counted.
METER: ContextVar[Meter | None] = ContextVar("METER", default=None)


def count_in(amount: int) -> None:
    """Add *amount* bytes that came in to the meter of this call, if there is one."""
    if meter := METER.get():
        meter.bytes_in += amount


def count_out(amount: int) -> None:
    """Add *amount* bytes that went out to the meter of this call, if there is one."""
    if meter := METER.get():
        meter.bytes_out += amount


def note_quota(quota: tuple[int, float] | None) -> None:
    """What an answer said of the service's rate limit, for the meter of this call."""
    if quota is not None and (meter := METER.get()):
        meter.quota = quota
