"""The chain document: its model, its YAML and JSON, its check, and the `Plan` it compiles to.

Pure apart from what is handed in: no files, no network, no clock. This room
imports `dataflow`, `policies` and `errors`, never the engine or a connector.
"""

from __future__ import annotations

from drawloom.chains.check import check, check_text
from drawloom.chains.document import Chain, Step
from drawloom.chains.findings import Finding
from drawloom.chains.loading import chain_of, load
from drawloom.chains.plan import Connection, Plan, PlanStep, compile_chain
from drawloom.chains.yaml_edit import YamlDocument

__all__ = [
    "Chain",
    "Connection",
    "Finding",
    "Plan",
    "PlanStep",
    "Step",
    "YamlDocument",
    "chain_of",
    "check",
    "check_text",
    "compile_chain",
    "load",
]
