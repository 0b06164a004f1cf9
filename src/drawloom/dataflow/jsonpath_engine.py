"""The JSONPath engine with a meter in it, and with regular expressions that cannot hang."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from jsonpath_rfc9535 import JSONPathEnvironment
from jsonpath_rfc9535.function_extensions import FilterFunction, Match, Search
from jsonpath_rfc9535.parse import Parser
from jsonpath_rfc9535.segments import JSONPathChildSegment, JSONPathRecursiveDescentSegment
from jsonpath_rfc9535.selectors import IndexSelector, NameSelector

from drawloom.dataflow.jsonpath_patterns import compiled
from drawloom.dataflow.values import DEEPEST

Query: TypeAlias = Any  # the engine ships no types that a strict reader accepts


class Exhausted(Exception):
    """The meter of a query has run out."""


class Meter:
    """How many nodes one query may still look at."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    def spend(self, nodes: int) -> None:
        self.left -= nodes
        if self.left < 0:
            raise Exhausted


# Threads may share a compiled query; its meter belongs to the one call.
_METER: ContextVar[Meter] = ContextVar("_METER")


@contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Charge *meter* for what queries look at inside the block."""
    token = _METER.set(meter)
    try:
        yield
    finally:
        _METER.reset(token)


def compile_query(source: str) -> tuple[Query, list[Query]]:
    """The query, and those that begin with `$` inside its filters."""
    environment = _Environment()
    query = environment.compile(source)
    return query, environment.parser.inner  # type: ignore[attr-defined]


class _Child(JSONPathChildSegment):
    descends = False

    def resolve(self, nodes: Iterable[Any]) -> Iterator[Any]:
        spend = _METER.get().spend
        for node in nodes:
            spend(_cost(node.value, self.selectors))
            for selector in self.selectors:
                yield from selector.resolve(node)


class _Descendants(JSONPathRecursiveDescentSegment):
    descends = True

    def resolve(self, nodes: Iterable[Any]) -> Iterator[Any]:
        spend = _METER.get().spend
        for start in nodes:
            for node in _visited(start):
                spend(_cost(node.value, self.selectors))
                for selector in self.selectors:
                    yield from selector.resolve(node)


def _visited(start: Any) -> Iterator[Any]:
    """*start* and all containers under it, parents first. Iterative: depth costs no stack."""
    stack = [start]
    while stack:
        node = stack.pop()
        yield node
        value = node.value
        if isinstance(value, dict):
            inner = [node.new_child(v, k, node) for k, v in value.items() if _is_container(v)]
        elif isinstance(value, list):
            inner = [node.new_child(v, i, node) for i, v in enumerate(value) if _is_container(v)]
        else:
            continue
        stack.extend(reversed(inner))


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list)


def _cost(value: Any, selectors: tuple[Any, ...]) -> int:
    """One for each child that each selector looks at, and one for the node."""
    if type(value) is not dict and type(value) is not list:
        return 1
    wide = sum(not isinstance(each, NameSelector | IndexSelector) for each in selectors)
    return 1 + wide * len(value)


class _Parser(Parser):
    """Makes metered segments, and notes each query that begins at the root."""

    def __init__(self, *, env: Any) -> None:
        super().__init__(env=env)
        self.inner: list[Query] = []

    def parse_query(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for segment in super().parse_query(*args, **kwargs):
            descends = isinstance(segment, JSONPathRecursiveDescentSegment)
            kind = _Descendants if descends else _Child
            yield kind(env=segment.env, token=segment.token, selectors=segment.selectors)

    def parse_root_query(self, stream: Any) -> Any:
        found: Any = super().parse_root_query(stream)
        self.inner.append(found.query)
        return found


class _Environment(JSONPathEnvironment):
    parser_class = _Parser
    max_recursion_depth = DEEPEST + 20  # a scope adds a few levels to a value

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Regular(Match, whole=True)
        self.function_extensions["search"] = _Regular(Search, whole=False)


class _Regular(FilterFunction):
    """`match` or `search` by a linear-time engine, that of JSON Schema's `pattern`."""

    def __init__(self, like: Any, whole: bool) -> None:
        self.arg_types = like.arg_types
        self.return_type = like.return_type
        self.whole = whole

    # The engine reads these from the class, abstract there.
    arg_types: Any = ()
    return_type: Any = None

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        _METER.get().spend(1 + len(text) // 100)
        found = compiled(pattern, self.whole)
        return found is not None and found.is_valid(text)
