"""Work on rows and values, for connectors: what the engine itself uses.

A connector does not import `drawloom.dataflow`; what it needs of it stands here
and in `drawloom.sdk.encoding`.
"""

from __future__ import annotations

from drawloom.dataflow.aggregation import Measure, Missing, aggregate, identity_of
from drawloom.dataflow.aggregation_joins import How, On, concat, join, merge, zip_rows
from drawloom.dataflow.validation import Validator
from drawloom.dataflow.values import canonical_json

__all__ = [
    "How",
    "Measure",
    "Missing",
    "On",
    "Validator",
    "aggregate",
    "canonical_json",
    "concat",
    "identity_of",
    "join",
    "merge",
    "zip_rows",
]
