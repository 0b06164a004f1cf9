"""The JSONPath engine with a meter in it, and with regular expressions that cannot hang."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, TypeAlias

import jsonschema_rs
from jsonpath_rfc9535 import JSONPathEnvironment
from jsonpath_rfc9535.function_extensions import FilterFunction, Match, Search
from jsonpath_rfc9535.function_extensions.match import (  # type: ignore[attr-defined]
    check as is_i_regexp,
)
from jsonpath_rfc9535.parse import Parser
from jsonpath_rfc9535.segments import JSONPathChildSegment, JSONPathRecursiveDescentSegment
from jsonpath_rfc9535.selectors import IndexSelector, NameSelector

from drawloom.dataflow.values import DEEPEST
from drawloom.errors import ExpressionInvalid

LONGEST_PATTERN: Final = 1_000

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
        self.function_extensions["match"] = _Regular(Match, "^(?:", ")$")
        self.function_extensions["search"] = _Regular(Search, "(?:", ")")


class _Regular(FilterFunction):
    """`match` or `search` by a linear-time engine, that of JSON Schema's `pattern`."""

    def __init__(self, like: Any, before: str, after: str) -> None:
        self.arg_types = like.arg_types
        self.return_type = like.return_type
        self.before = before
        self.after = after

    # The engine reads these from the class, abstract there.
    arg_types: Any = ()
    return_type: Any = None

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        _METER.get().spend(1 + len(text) // 100)
        found = _compiled(pattern, self.before, self.after)
        return found is not None and found.is_valid(text)


@lru_cache(maxsize=256)
def _compiled(pattern: str, before: str, after: str) -> jsonschema_rs.Validator | None:
    """None for what is no I-Regexp, which RFC 9535 (2.4.6) wants to match nothing."""
    if len(pattern) > LONGEST_PATTERN:
        raise _too_large(pattern)
    if not is_i_regexp(pattern):
        return None
    options = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
    schema = {"pattern": f"{before}{_translated(pattern)}{after}"}
    try:
        return jsonschema_rs.Draft202012Validator(schema, pattern_options=options)
    except jsonschema_rs.ValidationError:
        raise _too_large(pattern) from None


def _too_large(pattern: str) -> ExpressionInvalid:
    return ExpressionInvalid(
        f"the regular expression is too large: {pattern[:60]!r}…; make it shorter, or its "
        "counts {n,m} smaller",
        source=pattern[:200],
    )


def _translated(pattern: str) -> str:
    """An I-Regexp in the engine's syntax (RFC 9485, 5): only the dot differs, and `&` or `~`."""
    made: list[str] = []
    in_class = escaped = False
    for mark in pattern:
        if escaped or mark == "\\":
            escaped = not escaped
        elif in_class:
            in_class = mark != "]"
            mark = f"\\{mark}" if mark in "&~" else mark
        elif mark == "[":
            in_class = True
        elif mark == ".":
            mark = r"[^\n\r]"
        made.append(mark)
    return "".join(made)
