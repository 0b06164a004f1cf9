"""What happened, as data, and the port that everything watching plugs into.

Nothing here decides or does anything. May import `errors`.
"""

from __future__ import annotations

from drawloom.facts.facts import (
    BreakerChanged,
    CallQueued,
    CallRefused,
    CallStarted,
    Fact,
    InstanceChanged,
    Line,
    PoolChanged,
    RunEnded,
    RunStalled,
    RunStarted,
    Sink,
    StepEnded,
    ToolCall,
)

__all__ = [
    "BreakerChanged",
    "CallQueued",
    "CallRefused",
    "CallStarted",
    "Fact",
    "InstanceChanged",
    "Line",
    "PoolChanged",
    "RunEnded",
    "RunStalled",
    "RunStarted",
    "Sink",
    "StepEnded",
    "ToolCall",
]
