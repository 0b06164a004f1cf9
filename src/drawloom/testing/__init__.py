"""Tests of chains: runs in virtual time whose tools answer as the test says.

Nothing outside is touched: a tool is called for real only if it is `pure`, or
one of `core`. `recording` makes a test of a stored run.

May import `drivers`, `runtime`, `kernel`, `chains`, `dataflow`, `policies`,
`facts`, `doors` and `sdk`.
"""

from __future__ import annotations

from drawloom.testing.case import Case, case_of
from drawloom.testing.coverage import Coverage
from drawloom.testing.running import Outcome, run_case

__all__ = ["Case", "Coverage", "Outcome", "case_of", "run_case"]
