"""The kernel: one run of one plan, without I/O, clock or randomness.

Feed it events with `Run.receive`, carry out the commands that it gives, and
journal the events, never the commands: the same events in the same order give
the same commands, so a run is recovered by feeding its journal again.

The rarer messages (`Admit`, `Pull`, `StartChild` and the like) are in `messages`.

May import `chains`, `dataflow`, `policies` and `errors`.
"""

from __future__ import annotations

from drawloom.kernel.messages import (
    AwaitResolution,
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelCall,
    CancelRequested,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Pin,
    Resolved,
    SetTimer,
    Started,
    TimerFired,
)
from drawloom.kernel.run import Run
from drawloom.kernel.table import TRANSITIONS, Status, Trigger

__all__ = [
    "TRANSITIONS",
    "AwaitResolution",
    "CallFailed",
    "CallSucceeded",
    "CallTool",
    "CancelCall",
    "CancelRequested",
    "Command",
    "Evaluate",
    "Evaluated",
    "Event",
    "Finish",
    "Pin",
    "Resolved",
    "Run",
    "SetTimer",
    "Started",
    "Status",
    "TimerFired",
    "Trigger",
]
