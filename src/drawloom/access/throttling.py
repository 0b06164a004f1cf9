"""How long to wait after failed logins: a pure state machine, one state for each key.

The first few failures are free; each after them doubles the wait, up to a limit. A while
without a failure is forgotten. Times are microseconds.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Final

SECOND: Final = 1_000_000
_BUCKETS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Rule:
    """After *free* failures the wait is *first*, then twice as long each time, up to *most*."""

    free: int
    first: int = SECOND
    most: int = 900 * SECOND
    forget: int = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Attempts:
    """What is known of one key. *told*: somebody was turned away in this wait, and it is written."""

    failures: int = 0
    until: int = 0
    last: int = 0
    told: bool = False


PER_ACCOUNT: Final = Rule(free=5)
PER_ADDRESS: Final = Rule(free=30)  # an office has one
PER_STRANGER: Final = Rule(free=30, first=60 * SECOND)  # unknown sessions, tokens, links


def wait(rule: Rule, known: Attempts, now: int) -> int:
    """How long until the next attempt; 0 where it may be made. A clock set back adds nothing."""
    return min(max(0, known.until - now), rule.most)


def failed(rule: Rule, known: Attempts, now: int) -> Attempts:
    """After one failure more. An attempt is counted before it is known how it ends."""
    quiet = now - known.last > rule.forget
    failures = 1 if quiet else known.failures + 1
    over = failures - rule.free
    pause = 0 if over < 0 else min(rule.most, rule.first << min(over, 40))
    return Attempts(failures, now + pause, now)


def told(known: Attempts) -> Attempts:
    """After an attempt that was turned away: it makes no wait longer, and is told once."""
    return replace(known, told=True)


def undone(known: Attempts, now: int) -> Attempts:
    """After an attempt that was counted, and turned out to be good."""
    return Attempts(max(0, known.failures - 1), 0, now)


def bucket(key: bytes, kind: str, text: str) -> str:
    """One of 65,536 keys, so that no stranger can fill the store.

    *key* is secret: nobody can choose a name that falls together with another's.
    """
    mac = hmac.new(key, f"{kind}\0{text}".encode("utf-8", "replace"), hashlib.sha256)
    return f"{kind}:{int.from_bytes(mac.digest()[:4]) % _BUCKETS}"
