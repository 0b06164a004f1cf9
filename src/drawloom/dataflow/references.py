"""References: the `${…}` of a `with:`, compiled to closures that fill it from a scope.

A scope is a dict with `input`, `steps`, `failures`, `vars`, `run` and, inside a
`for_each`, `item` and `index`. A string that is one `${…}` keeps the value's
type; inside text it is rendered. `$${` stands for a literal `${`. The object
`{$jsonpath: "$.…"}` is an RFC 9535 query over the same scope.

A plain path (names and literal indices) is followed by our own code, exact for
every value; anything else is JSONata.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from drawloom.dataflow.expressions import INLINE, Budget, Expression
from drawloom.dataflow.large_values import LargeValue, at_hand, gathered, plain
from drawloom.dataflow.template_text import pieces as pieces_of
from drawloom.dataflow.values import UNDEFINED, write_json
from drawloom.errors import ExpressionInvalid, ValueInvalid

if TYPE_CHECKING:
    from drawloom.dataflow.jsonpath import JsonPath

Scope: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[str | int, ...]

ROOTS = frozenset(
    {"input", "steps", "failures", "vars", "run", "item", "index", "output"}
)  # `output` only where a step is undone

_STEP_OF_PATH = re.compile(r"(?:\.\s*)?(?:([A-Za-z_][A-Za-z0-9_]*)|`([^`]+)`)|\[\s*(\d{1,9})\s*\]")
_KEYWORDS = frozenset({"and", "or", "in", "true", "false", "null"})


@dataclass(slots=True)
class Evaluation:
    """How expressions are evaluated just now: budget, clock (us since 1970, UTC) and seed."""

    budget: Budget = INLINE
    at: int = 0
    seeded_by: str | int = 0  # text counts by its CRC-32

    @property
    def now(self) -> int:
        """The clock in milliseconds, as JSONata has it."""
        return self.at // 1000

    @property
    def seed(self) -> int:
        """The seed of `$random()`."""
        by = self.seeded_by
        return by if isinstance(by, int) else zlib.crc32(by.encode())


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${…}` (or `$jsonpath`) of a template.

    `pointer` is where in the template it stands (keys and indices), `offset` the
    character of the string at which its source begins. `path` is set for a
    plain path. `whole` says that the value keeps its type.
    """

    pointer: tuple[str | int, ...]
    source: str
    offset: int
    whole: bool
    path: Path | None = None
    expression: Expression | None = None
    jsonpath: JsonPath | None = None

    @property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The paths of names from the scope's root that it reads; `()` is the whole scope."""
        if self.path is not None:
            names = []
            for part in self.path:
                if isinstance(part, int):
                    break
                names.append(part)
            return (tuple(names),)
        if self.jsonpath is not None:
            return (self.jsonpath.reads, *self.jsonpath.also_reads)
        assert self.expression is not None
        return self.expression.reads


Filler: TypeAlias = Callable[[Scope, Evaluation], Any]


def plain_path(source: str) -> Path | None:
    """The parts of `steps.late.rows[0].id`, or None where it is more than a path."""
    text, position, parts = source.strip(), 0, list[str | int]()
    while position < len(text):
        found = _STEP_OF_PATH.match(text, position)
        if found is None or (found[3] is None and (position > 0) != (text[position] == ".")):
            return None
        parts.append(int(found[3]) if found[3] else found[1] or found[2])
        position = found.end()
    if not parts or parts[0] not in ROOTS or text in _KEYWORDS:
        return None
    return tuple(parts)


class Template:
    """A compiled JSON value with references in it. Immutable; `fill` may be called for ever.

    *wants_list* tells, for a place in the template, whether a list is wanted
    there: JSONata unwraps a sequence of one and drops an empty one, so such a
    place gets `[]` and `[x]` back.
    """

    __slots__ = ("fill", "references", "source")

    # `fill(scope, evaluation)` gives the value with every reference resolved. It
    # raises `ValueInvalid` for one that leads nowhere, and what
    # `Expression.evaluate` raises. An attribute, for it is called for every step.
    fill: Filler

    def __init__(
        self, source: Any, wants_list: Callable[[tuple[str | int, ...]], bool] | None = None
    ) -> None:
        self.source = source
        found: list[Reference] = []
        filler = _compile(source, (), found, wants_list or (lambda pointer: False))
        self.references = tuple(found)
        self.fill = _fresh(source) if filler is None else filler

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """All paths of names that any reference in it reads."""
        return frozenset(path for reference in self.references for path in reference.reads)


class Condition:
    """A `when:` or `until:`: an expression that must give true or false."""

    __slots__ = ("reference", "source")

    def __init__(self, source: str | bool) -> None:
        self.source = source
        text = str(source).lower() if isinstance(source, bool) else source
        pieces = list(pieces_of(text))
        whole = len(pieces) == 1 and not isinstance(pieces[0], str)
        inside, offset = pieces[0] if whole and not isinstance(pieces[0], str) else (text, 0)
        self.reference = Reference(
            (), inside, offset, True, plain_path(inside), Expression(inside)
        )

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        return frozenset(self.reference.reads)

    def holds(self, scope: Scope, evaluation: Evaluation) -> bool:
        """Whether it is true over *scope*; anything but true or false is `ValueInvalid`."""
        value = _whole(self.reference, False)(scope, evaluation)
        if value is True or value is False:
            return bool(value)
        raise ValueInvalid(
            f"the condition `{self.reference.source.strip()}` gave {_shown(value)}; "
            "it must give true or false"
        )


def listing(source: Any) -> Template:
    """A template of which a list is wanted, as `for_each` does."""
    return Template(source, lambda pointer: pointer == ())


# -- compiling -------------------------------------------------------------------


def _compile(
    value: Any,
    pointer: tuple[str | int, ...],
    found: list[Reference],
    wants_list: Callable[[tuple[str | int, ...]], bool],
) -> Filler | None:
    """A filler, or None for a value that has no reference in it."""
    if isinstance(value, str):
        return _compile_text(value, pointer, found, wants_list(pointer))
    if isinstance(value, Mapping):
        if value.keys() == {"$jsonpath"}:
            return _compile_jsonpath(value["$jsonpath"], pointer, found)
        parts = {k: _compile(v, (*pointer, k), found, wants_list) for k, v in value.items()}
        return _compile_object(value, parts)
    if isinstance(value, list):
        fillers = [_compile(v, (*pointer, i), found, wants_list) for i, v in enumerate(value)]
        if any(fillers):
            filled = [f or _fresh(v) for f, v in zip(fillers, value, strict=True)]
            return lambda scope, ev: [f(scope, ev) for f in filled]
    return None


def _compile_object(value: Mapping[str, Any], parts: Mapping[str, Filler | None]) -> Filler | None:
    if not any(parts.values()):
        return None
    if len(parts) == 1:
        [(only, filler)] = parts.items()
        assert filler is not None
        return lambda scope, ev: {only: filler(scope, ev)}
    filled = [(k, f or _fresh(value[k])) for k, f in parts.items()]
    return lambda scope, ev: {k: f(scope, ev) for k, f in filled}


def _compile_jsonpath(
    source: Any, pointer: tuple[str | int, ...], found: list[Reference]
) -> Filler:
    if not isinstance(source, str):
        raise ExpressionInvalid("$jsonpath wants a query as text", source=str(source), position=0)
    from drawloom.dataflow.jsonpath import JsonPath  # few chains need it, and it loads slowly

    query = JsonPath(source)
    reference = Reference((*pointer, "$jsonpath"), source, 0, True, jsonpath=query)
    found.append(reference)
    reads = reference.reads
    return lambda scope, ev: query.select(at_hand(scope, reads, ev.budget.stored), ev.budget)


def _compile_text(
    text: str, pointer: tuple[str | int, ...], found: list[Reference], wants_list: bool
) -> Filler | None:
    if "${" not in text:
        return None
    pieces = list(pieces_of(text))
    whole = len(pieces) == 1
    fillers: list[Filler | str] = []
    for piece in pieces:
        if isinstance(piece, str):
            fillers.append(piece)
            continue
        reference = _reference(piece[0], piece[1], pointer, whole)
        found.append(reference)
        fillers.append(_whole(reference, wants_list and whole))
    if whole and not isinstance(fillers[0], str):
        return fillers[0]
    return _rendered(fillers)


def _reference(source: str, offset: int, pointer: tuple[str | int, ...], whole: bool) -> Reference:
    try:
        path = plain_path(source)
        # A plain path keeps its expression too: it may meet a list at run time.
        return Reference(pointer, source, offset, whole, path, Expression(source))
    except ExpressionInvalid as exc:
        exc.position = offset + (exc.position or 0)
        exc.pointer = pointer  # type: ignore[attr-defined]  # where in the template, for the check
        raise


def _rendered(pieces: list[Filler | str]) -> Filler:
    def fill(scope: Scope, ev: Evaluation) -> str:
        return "".join(p if isinstance(p, str) else _text(p(scope, ev)) for p in pieces)

    return fill


def _text(value: Any) -> str:
    """How a value looks inside text: text as it is, anything else as JSON; null is an error."""
    if type(value) is str:
        return value
    if value is None:
        raise ValueInvalid("null inside text; give a default with ??, as in ${x ?? 'none'}")
    return write_json(value)


def _fresh(value: Any) -> Filler:
    """A filler for a constant: containers are made anew, for a tool may change what it gets."""
    if isinstance(value, Mapping):
        parts = [(k, _fresh(v)) for k, v in value.items()]
        return lambda scope, ev: {k: f(scope, ev) for k, f in parts}
    if isinstance(value, list):
        items = [_fresh(v) for v in value]
        return lambda scope, ev: [f(scope, ev) for f in items]
    if isinstance(value, str) and "$${" in value:
        value = value.replace("$${", "${")
    return lambda scope, ev: value


# -- resolving -------------------------------------------------------------------


def _whole(reference: Reference, wants_list: bool) -> Filler:
    assert reference.expression is not None
    expression = reference.expression
    slow = _evaluated(expression, wants_list)
    if reference.path is None:
        return slow
    match reference.path:
        case (str(root),):
            return _follow1(root, slow)
        case (str(a), str(b)):
            return _follow2(a, b, slow)
        case (str(a), str(b), str(c)):
            return _follow3(a, b, c, slow)
        case path:
            return _follow(path, slow)


def _evaluated(expression: Expression, wants_list: bool) -> Filler:
    def fill(scope: Scope, ev: Evaluation) -> Any:
        scope = at_hand(scope, expression.reads, ev.budget.stored)
        value = expression.evaluate(scope, ev.budget, now=ev.now, seed=ev.seed)
        if wants_list:
            return [] if value is UNDEFINED else value if isinstance(value, list) else [value]
        if value is UNDEFINED:
            raise ValueInvalid(
                f"`{expression.source.strip()}` leads to nothing; "
                "give a default with ??, or mend the path"
            )
        return value

    return fill


# A list where a name is wanted raises TypeError: JSONata then maps over it.
_MISSED = (KeyError, IndexError, TypeError)


def _follow1(root: str, slow: Filler) -> Filler:
    def fill(scope: Any, ev: Evaluation) -> Any:
        try:
            value = scope[root]
            # All steps at once: each of them may be outside.
            return plain(gathered(value) if root == "steps" else value)
        except _MISSED:
            return slow(scope, ev)

    return fill


def _follow2(a: str, b: str, slow: Filler) -> Filler:
    def fill(scope: Any, ev: Evaluation) -> Any:
        try:
            value = scope[a][b]
            return value.load() if isinstance(value, LargeValue) else value
        except _MISSED:
            return slow(scope, ev)

    return fill


def _follow3(a: str, b: str, c: str, slow: Filler) -> Filler:
    def fill(scope: Any, ev: Evaluation) -> Any:
        try:
            value = scope[a][b][c]
            return value.load() if isinstance(value, LargeValue) else value
        except _MISSED:
            return slow(scope, ev)

    return fill


def _follow(path: Path, slow: Filler) -> Filler:
    def fill(scope: Any, ev: Evaluation) -> Any:
        node = scope
        try:
            for part in path:
                if type(part) is int and type(node) is str:
                    return slow(scope, ev)  # text has indices too, and JSONata none for it
                node = node[part]
            return plain(node)
        except _MISSED:
            return slow(scope, ev)

    return fill


def _shown(value: Any) -> str:
    text = "nothing" if value is UNDEFINED else write_json(value)
    return text if len(text) <= 80 else text[:80] + "…"
