"""Policies as data and pure functions: what may be repeated, and when.

Time is always an argument, in seconds. This room imports `errors` only.
"""

from __future__ import annotations

from drawloom.policies.effect import Effect, outcome_unknown
from drawloom.policies.resources import DEFAULT_RESOURCES, Admission, Answer, Resources
from drawloom.policies.retry import LOSSES_AT_MOST, RETRYABLE, Retry

__all__ = [
    "DEFAULT_RESOURCES",
    "LOSSES_AT_MOST",
    "RETRYABLE",
    "Admission",
    "Answer",
    "Effect",
    "Resources",
    "Retry",
    "outcome_unknown",
]
