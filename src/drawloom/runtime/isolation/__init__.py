"""Processes of their own for what must not harm the engine: expressions, tools, code.

`processes` starts and ends them, `frames` speaks with them, `confinement` is what
they do to themselves first, `worker` is the one that calls tools, and `pool`
keeps a few of them. No other room starts one of these.
"""

from __future__ import annotations

from drawloom.runtime.isolation.pool import Isolation

__all__ = ["Isolation"]
