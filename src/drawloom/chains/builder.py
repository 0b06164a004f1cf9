"""Chains from Python: a function is traced once, into the same document that YAML gives.

    @chain("shout", version="1.0.0")
    def shout(words: list[str]):
        loud = step(upper, for_each=words)(text=item)
        return {"loud": loud}

While it is traced, its parameters are references, and calling a tool adds a
step instead of doing the work.
"""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from drawloom.chains.document import Chain
from drawloom.chains.loading import chain_of
from drawloom.dataflow.tracing import TRACER
from drawloom.errors import ChainInvalid
from drawloom.policies import Retry

T = TypeVar("T")

# Brackets of private use round an expression inside text, so that text from
# elsewhere that happens to hold `${` is never taken for one.
_OPEN, _CLOSE = "\ue000", "\ue001"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Ref(Generic[T]):
    """A value that a run will have: the chain's input, a step's output, or part of one.

    Attributes and items lead further in; comparing, adding and the like give
    expressions. `str()` and f-strings place it inside text.
    """

    __slots__ = ("_source",)

    def __init__(self, source: str) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Ref[Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return Ref(f"{self._source}.{_quoted(name)}")

    def __getitem__(self, key: int | str) -> Ref[Any]:
        if isinstance(key, str):
            return Ref(f"{self._source}.{_quoted(key)}")
        return Ref(f"{self._source}[{key}]")

    def __iter__(self) -> typing.NoReturn:
        raise ChainInvalid(f"{self._source} is not known yet; map over it with step(for_each=…)")

    def __bool__(self) -> typing.NoReturn:
        raise ChainInvalid(f"{self._source} is not known yet; branch on it with step(when=…)")

    def __str__(self) -> str:
        return f"{_OPEN}{self._source}{_CLOSE}"

    def __format__(self, spec: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"Ref({self._source})"

    def __eq__(self, other: object) -> Any:
        return _binary(self, "=", other)

    def __ne__(self, other: object) -> Any:
        return _binary(self, "!=", other)

    def __lt__(self, other: object) -> Ref[bool]:
        return _binary(self, "<", other)

    def __le__(self, other: object) -> Ref[bool]:
        return _binary(self, "<=", other)

    def __gt__(self, other: object) -> Ref[bool]:
        return _binary(self, ">", other)

    def __ge__(self, other: object) -> Ref[bool]:
        return _binary(self, ">=", other)

    def __add__(self, other: object) -> Ref[Any]:
        return _binary(self, "+", other)

    def __sub__(self, other: object) -> Ref[Any]:
        return _binary(self, "-", other)

    def __mul__(self, other: object) -> Ref[Any]:
        return _binary(self, "*", other)

    def __truediv__(self, other: object) -> Ref[Any]:
        return _binary(self, "/", other)

    def __and__(self, other: object) -> Ref[bool]:
        return _binary(self, "and", other)

    def __or__(self, other: object) -> Ref[bool]:
        return _binary(self, "or", other)

    __hash__ = None  # type: ignore[assignment]  # equality makes an expression


item: Ref[Any] = Ref("item")
index: Ref[int] = Ref("index")


def expr(source: str, **refs: Any) -> Ref[Any]:
    """A JSONata expression; `{name}` in it stands for the reference or value *name*.

    `expr("$count({late}.rows)", late=late)`.
    """
    for name, value in refs.items():
        source = source.replace("{" + name + "}", _operand(value))
    return Ref(f"({source})")


class ChainFunction:
    """A traced chain: its document, and the tools that it uses."""

    def __init__(self, made: Chain, tools: Mapping[str, Any]) -> None:
        self.chain = made
        self.tools = dict(tools)

    def __repr__(self) -> str:
        return f"<chain {self.chain.name} {self.chain.version}>"


def chain(
    name: str,
    *,
    version: str = "0.0.0",
    connections: Mapping[str, str] | None = None,
    **fields: Any,
) -> Callable[[Callable[..., Any]], ChainFunction]:
    """Trace a function into a chain. Its parameters are the input, its result the output.

    *fields* are other fields of the document (`vars`, `title`, `note`). The
    function's docstring becomes the description.
    """

    def trace(function: Callable[..., Any]) -> ChainFunction:
        document: dict[str, Any] = {"chain": name, "version": version}
        if doc := inspect.getdoc(function):
            document["description"] = doc
        if declared := _inputs(function):
            document["input"] = declared
        if connections:
            document["connections"] = dict(connections)
        document.update(fields)
        tracing = _Tracing()
        token = TRACER.set(tracing.called)
        try:
            output = function(**{n: Ref(f"input.{n}") for n in declared})
        finally:
            TRACER.reset(token)
        document["steps"] = tracing.steps
        if output is not None:
            document["output"] = _written(output)
        return ChainFunction(chain_of(document), tracing.tools)

    return trace


class _Step:
    """A tool with the fields of the step that it is about to become."""

    def __init__(self, tool: Any, name: str | None, fields: dict[str, Any]) -> None:
        self.tool, self.name, self.fields = tool, name, fields

    def __call__(self, *args: Any, **kwargs: Any) -> Ref[Any]:
        trace = TRACER.get()
        if trace is None:
            raise ChainInvalid("step(…) is for functions that @chain traces")
        return trace(self, args, kwargs)  # type: ignore[no-any-return]


def step(
    tool: Any,
    name: str | None = None,
    *,
    on: str | None = None,
    after: Mapping[Any, str] | list[Any] | None = None,
    when: Ref[Any] | str | None = None,
    for_each: Any = None,
    retry: Retry | Mapping[str, Any] | None = None,
    **fields: Any,
) -> _Step:
    """A step with more than its tool's input: `step(send, "tell", on="mail")(to=…)`.

    *fields* are those of the document: `join`, `concurrency`, `timeout`,
    `on_error`, `note`.
    """
    if isinstance(after, Mapping):
        fields["after"] = {_step_name(source): outcome for source, outcome in after.items()}
    elif after is not None:
        fields["after"] = {_step_name(source): "succeeded" for source in after}
    if on is not None:
        fields["on"] = on
    if when is not None:
        fields["when"] = when._source if isinstance(when, Ref) else when
    if for_each is not None:
        fields["for_each"] = _written(for_each)
    if retry is not None:
        fields["retry"] = _retry(retry) if isinstance(retry, Retry) else dict(retry)
    return _Step(tool, name, fields)


class _Tracing:
    """Collects the steps of one chain."""

    def __init__(self) -> None:
        self.steps: dict[str, Any] = {}
        self.tools: dict[str, Any] = {}

    def called(self, what: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ref[Any]:
        tool, name, fields = what, None, dict[str, Any]()
        if isinstance(what, _Step):
            tool, name, fields = what.tool, what.name, what.fields
        given = {**self._named(tool, args), **kwargs}
        name = self._free_name(name, tool.name.rpartition(".")[2])
        made: dict[str, Any] = {"use": tool.name, **fields}
        if given:
            made["with"] = {key: _written(value) for key, value in given.items()}
        self.steps[name] = made
        self.tools[tool.name] = tool
        return Ref(f"steps.{name}")

    def _named(self, tool: Any, args: tuple[Any, ...]) -> dict[str, Any]:
        names = [p.name for p in tool.signature.parameters]
        if len(args) > len(names):
            raise ChainInvalid(f"{tool.name} takes {len(names)} inputs; {len(args)} were given")
        return dict(zip(names, args, strict=False))

    def _free_name(self, wanted: str | None, short: str) -> str:
        if wanted is not None:
            if wanted in self.steps:
                raise ChainInvalid(f"there is already a step {wanted!r}")
            return wanted
        number, name = 1, short
        while name in self.steps:
            number += 1
            name = f"{short}_{number}"
        return name


def _inputs(function: Callable[..., Any]) -> dict[str, Any]:
    """The chain's input: a JSON Schema per parameter."""
    hints = typing.get_type_hints(function, include_extras=True)
    declared = {}
    for parameter in inspect.signature(function).parameters.values():
        schema = _schema(hints.get(parameter.name, Any))
        if parameter.default is not parameter.empty:
            schema["default"] = parameter.default
        declared[parameter.name] = schema
    return declared


def _schema(annotation: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    if annotation is Ref:
        annotation = Any
    elif typing.get_origin(annotation) is Ref:
        [annotation] = typing.get_args(annotation)
    return dict(TypeAdapter(annotation).json_schema())


def _written(value: Any) -> Any:
    """A Python value as the document writes it: references become `${…}`."""
    if isinstance(value, Ref):
        return "${" + value._source + "}"
    if isinstance(value, str):
        escaped = value.replace("${", "$${")
        return escaped.replace(_OPEN, "${").replace(_CLOSE, "}")
    if isinstance(value, Mapping):
        return {str(key): _written(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(inner) for inner in value]
    return value


def _binary(left: Ref[Any], operator: str, right: object) -> Ref[Any]:
    return Ref(f"({left._source} {operator} {_operand(right)})")


def _operand(value: object) -> str:
    """How a value stands inside an expression."""
    return value._source if isinstance(value, Ref) else json.dumps(value, ensure_ascii=False)


def _quoted(name: str) -> str:
    return name if _NAME.match(name) else f"`{name}`"


def _step_name(source: Any) -> str:
    return source._source.removeprefix("steps.") if isinstance(source, Ref) else str(source)


def _retry(retry: Retry) -> dict[str, Any]:
    plain = Retry()
    names = ("attempts", "delay", "factor", "max_delay", "jitter", "budget")
    written = {n: v for n in names if (v := getattr(retry, n)) != getattr(plain, n)}
    if retry.on != plain.on:
        written["on"] = sorted(retry.on)
    return written
