"""Run chains in this process, journaled to SQLite; see `engine`.

May import `kernel`, `chains`, `dataflow`, `policies`, `runtime`, `facts`,
`db`, `doors` and `sdk`.
"""

from __future__ import annotations

from drawloom.drivers.embedded.engine import Durability, Engine
from drawloom.drivers.embedded.starts import new_run_id
from drawloom.drivers.embedded.state import STORE, owner_of
from drawloom.drivers.results import Result, StepResult

__all__ = ["STORE", "Durability", "Engine", "Result", "StepResult", "new_run_id", "owner_of"]
