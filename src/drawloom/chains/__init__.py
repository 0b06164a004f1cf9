"""The chain document: its model, its YAML and JSON, its check, and the `Plan` it compiles to.

Pure apart from what is handed in: no files, no network, no clock. This room
imports `dataflow`, `policies` and `errors`, never the engine or a connector.

What a run does not need is imported from its own module, so that a start stays
quick: `chains.check` (the static check), `chains.yaml_edit`, `chains.builder`.
"""

from __future__ import annotations

from drawloom.chains.compiling import compile_chain
from drawloom.chains.document import Chain, Step
from drawloom.chains.findings import Finding
from drawloom.chains.loading import chain_of, load
from drawloom.chains.plan import Connection, Plan, PlanStep

__all__ = [
    "Chain",
    "Connection",
    "Finding",
    "Plan",
    "PlanStep",
    "Step",
    "chain_of",
    "compile_chain",
    "load",
]
