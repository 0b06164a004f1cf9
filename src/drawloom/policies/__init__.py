"""Policies as data and pure functions: what may be repeated, and when.

Time is always an argument, in seconds. This room imports `errors` only.
"""

from __future__ import annotations

from drawloom.policies.effect import Effect, outcome_unknown
from drawloom.policies.retry import LOSSES_AT_MOST, RETRYABLE, Retry

__all__ = ["LOSSES_AT_MOST", "RETRYABLE", "Effect", "Retry", "outcome_unknown"]
