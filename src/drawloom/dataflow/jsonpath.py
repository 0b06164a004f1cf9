"""JSONPath (RFC 9535): the one wrapper round the query engine, with limits that do not race.

A query is charged for each node that it looks at, so that it stops at the same
place on every machine. `match` and `search` (RFC 9485) run in linear time.
"""

from __future__ import annotations

from typing import Any, Final

from jsonpath_rfc9535.exceptions import JSONPathError
from jsonpath_rfc9535.selectors import NameSelector

from drawloom.dataflow.expressions import FULL, Budget, OverBudget
from drawloom.dataflow.jsonpath_engine import Exhausted, Meter, Query, compile_query, metered
from drawloom.errors import ExpressionInvalid

LONGEST_QUERY: Final = 4_000
# What looking at one node costs of a budget's steps: about as long as twenty steps of JSONata.
STEPS_PER_NODE: Final = 20


class JsonPath:
    """One compiled query: compiled once, used any number of times, by any thread.

    Raises `ExpressionInvalid` where *source* is no well-formed and valid query,
    with the position (characters from 0) where the engine knows it.
    """

    __slots__ = ("_query", "also_reads", "reads", "source")

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST_QUERY:
            raise ExpressionInvalid(
                f"a JSONPath query may have {LONGEST_QUERY} characters; this one has {len(source)}",
                source=source[:200],
            )
        self.source = source
        try:
            self._query, inner = compile_query(source)
        except (JSONPathError, RecursionError, ValueError) as exc:
            raise _named(exc, source) from None
        #: The names that lead to what it selects, from the root: ("steps", "late", "rows").
        self.reads: tuple[str, ...] = _names(self._query)
        #: The same of each `$` inside a filter, which is read too.
        self.also_reads: tuple[tuple[str, ...], ...] = tuple(map(_names, inner))

    def select(self, value: Any, budget: Budget = FULL) -> list[Any]:
        """The values that the query selects in *value*, in document order; `[]` if none.

        Raises `OverBudget` where it would look at more nodes than
        `budget.steps` pays for, or select more than `budget.array`.
        """
        meter = Meter(budget.steps // STEPS_PER_NODE)
        found: list[Any] = []
        try:
            with metered(meter):
                for node in self._query.finditer(value):
                    if len(found) == budget.array:
                        raise _over(f"selects more than {budget.array} values", self.source)
                    found.append(node.value)
        except Exhausted:
            raise _over(f"looks at more than {meter.limit} nodes", self.source) from None
        except (JSONPathError, RecursionError) as exc:
            raise _named(exc, self.source) from None
        return found

    def __repr__(self) -> str:
        return f"JsonPath({self.source!r})"


def _over(what: str, source: str) -> OverBudget:
    return OverBudget(f"the JSONPath query {what}; make it more narrow", source=source)


def _names(query: Query) -> tuple[str, ...]:
    names: list[str] = []
    for segment in query.segments:
        selector = segment.selectors[0]
        if segment.descends or len(segment.selectors) > 1 or type(selector) is not NameSelector:
            break
        names.append(selector.name)
    return tuple(names)


def _named(exc: Exception, source: str) -> ExpressionInvalid:
    if isinstance(exc, RecursionError):
        return ExpressionInvalid("the JSONPath query is nested too deep", source=source)
    token = getattr(exc, "token", None)
    position = None if token is None else min(max(token.index, 0), len(source))
    said = exc.args[0] if exc.args else "is invalid"
    return ExpressionInvalid(f"JSONPath (RFC 9535): {said}", source=source, position=position)
