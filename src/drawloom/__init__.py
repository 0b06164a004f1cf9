"""Drawloom: chains of typed tools, checked before they run, and runs that survive kill -9.

    import drawloom

    @drawloom.tool(effect="pure")
    def double(n: int) -> int:
        "Twice as much."
        return 2 * n

    @drawloom.chain("twice-twice")
    def twice_twice(n: int):
        return {"result": double(n=double(n=n))}

    assert drawloom.run(twice_twice, {"n": 3}).output == {"result": 12}

Everything is imported when it is first asked for, so that a command line
answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Catalogue": "runtime",
    "Chain": "chains",
    "Connection": "sdk",
    "Connector": "sdk",
    "Context": "sdk",
    "Engine": "drivers.embedded",
    "Failure": "errors",
    "FailureKind": "errors",
    "Plan": "chains",
    "Project": "project",
    "Ref": "chains.builder",
    "Result": "drivers.embedded",
    "Retry": "policies",
    "RunFailed": "errors",
    "Secret": "sdk",
    "ToolError": "errors",
    "chain": "chains.builder",
    "check": "chains.check",
    "compile_chain": "chains",
    "expr": "chains.builder",
    "index": "chains.builder",
    "item": "chains.builder",
    "load": "chains",
    "plan": "project.library",
    "run": "project.library",
    "run_async": "project.library",
    "step": "chains.builder",
    "tool": "sdk",
}

if TYPE_CHECKING:
    from drawloom.chains import Chain, Plan, compile_chain, load
    from drawloom.chains.builder import Ref, chain, expr, index, item, step
    from drawloom.chains.check import check
    from drawloom.drivers.embedded import Engine, Result
    from drawloom.errors import Failure, FailureKind, RunFailed, ToolError
    from drawloom.policies import Retry
    from drawloom.project import Project
    from drawloom.project.library import plan, run, run_async
    from drawloom.runtime import Catalogue
    from drawloom.sdk import Connection, Connector, Context, Secret, tool

__all__ = [
    "Catalogue",
    "Chain",
    "Connection",
    "Connector",
    "Context",
    "Engine",
    "Failure",
    "FailureKind",
    "Plan",
    "Project",
    "Ref",
    "Result",
    "Retry",
    "RunFailed",
    "Secret",
    "ToolError",
    "chain",
    "check",
    "compile_chain",
    "expr",
    "index",
    "item",
    "load",
    "plan",
    "run",
    "run_async",
    "step",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'drawloom' has no attribute {name!r}")
    found = getattr(import_module(f"drawloom.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
