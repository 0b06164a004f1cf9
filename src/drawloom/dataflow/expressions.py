"""JSONata expressions: the one wrapper round the engine, which always sets the limits.

JSONata 2.2.2 (docs.jsonata.org), run by jlens. `$eval` is off: data is never
parsed again as an expression. The clock and the random seed are arguments, so
that the same scope always gives the same value.

An expression is first tried within `INLINE`, small enough for an event loop.
One that needs more raises `OverBudget`, and is evaluated again elsewhere within
`FULL`; see `drawloom.runtime.evaluator`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jlens

from drawloom.dataflow.values import UNDEFINED, well_formed
from drawloom.errors import ExpressionInvalid

LONGEST_SOURCE = 64 * 1024

# The engine gives None for null and for nothing at all. Inside an object the
# two differ: a field that would be nothing is left out.
_BEFORE, _AFTER = '{"v":', "\n}"
_LIMIT_CODES = frozenset({"U1006", "D1012", "U1001", "D2016", "D1011"})
_NO_EVAL: dict[str, Any] = {"eval": None}


@dataclass(frozen=True, slots=True)
class Budget:
    """What one evaluation may use. `seconds` None leaves only the counted limits.

    `stored` is how many bytes of values that are kept outside may be loaded for it.
    """

    steps: int
    seconds: float | None
    depth: int = 250
    array: int = 100_000
    string: int = 4 << 20
    result: int = 16 << 20
    stored: int = 4 << 20


INLINE = Budget(steps=100_000, seconds=0.05)
# At replay only counted limits apply: a slower machine must not decide otherwise.
REPLAY = Budget(steps=100_000, seconds=None)
FULL = Budget(steps=50_000_000, seconds=5.0, array=1_000_000, string=64 << 20, result=256 << 20)


class OverBudget(ExpressionInvalid):
    """The expression needs more than its budget; with a larger one it may succeed."""


class Expression:
    """One compiled expression: compiled once, evaluated any number of times.

    Raises `ExpressionInvalid` with the JSONata error code and the position
    (characters from 0) where *source* cannot be parsed.
    """

    __slots__ = ("__dict__", "_engine", "source")

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST_SOURCE:
            raise ExpressionInvalid(
                f"an expression may have {LONGEST_SOURCE} characters; this one has {len(source)}",
                source=source[:200],
            )
        if not source.strip():
            raise ExpressionInvalid("the expression is empty", source=source, position=0)
        if not well_formed(source):
            raise ExpressionInvalid("the expression holds a lone surrogate", source=repr(source))
        self.source = source
        try:
            jlens.Expression(source)  # for its positions; `_engine` has other offsets
            self._engine = jlens.Expression(_BEFORE + source + _AFTER)
        except jlens.JlensError as exc:
            raise _named(exc, source, 0) from None

    @cached_property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The fields of the scope that it reads, as paths; `()` means the whole scope."""
        found: dict[str, Any] = dict(jlens.Expression(self.source).reads())
        return tuple(_paths(found.get("input", {})))

    @cached_property
    def bindings(self) -> frozenset[str]:
        """Names used as `$name` that are neither built in nor assigned in the expression."""
        found: dict[str, Any] = dict(jlens.Expression(self.source).reads())
        return frozenset(found.get("bindings", {}))

    def evaluate(self, scope: Any, budget: Budget = INLINE, *, now: int = 0, seed: int = 0) -> Any:
        """The value over *scope*, or `UNDEFINED`. *now* is in milliseconds since 1970 (UTC).

        Raises `OverBudget` where a limit stopped it, else `ExpressionInvalid`.
        """
        try:
            boxed = self._engine.evaluate(
                scope,
                _NO_EVAL,
                timeout=budget.seconds,
                max_depth=budget.depth,
                max_steps=budget.steps,
                max_string_length=budget.string,
                max_array_length=budget.array,
                max_result_size=budget.result,
                now=now,
                seed=seed,
            )
        except jlens.JlensError as exc:
            raise _named(exc, self.source, len(_BEFORE), f", in `{_short(self.source)}`") from None
        return boxed["v"] if boxed else UNDEFINED

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _short(source: str) -> str:
    """As much of an expression as tells which one it is."""
    text = " ".join(source.split())
    return text if len(text) <= 80 else f"{text[:80]}…"


def _named(exc: jlens.JlensError, source: str, offset: int, where: str = "") -> ExpressionInvalid:
    position = exc.position if exc.start is None else exc.start
    if exc.position is not None and exc.code.startswith("S"):
        position = exc.position
    inside = None if position is None else min(max(position - offset, 0), len(source))
    kind = OverBudget if exc.code in _LIMIT_CODES else ExpressionInvalid
    return kind(f"{exc} ({exc.code}){where}", source=source, code=exc.code, position=inside)


def _paths(tree: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if tree is True or not tree:
        return [at] if tree is True or at else []
    return [path for name, below in tree.items() for path in _paths(below, (*at, name))]
