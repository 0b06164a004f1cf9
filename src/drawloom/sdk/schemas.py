"""JSON Schemas from Python signatures: the signature is the contract."""

from __future__ import annotations

import inspect
import types
import typing
import warnings
from collections.abc import Callable
from typing import Any

from drawloom.sdk.context import Context
from drawloom.sdk.streams import item_of


class Signature:
    """What a tool function takes and gives, read once.

    `takes_client` and `takes_context` say which parameters are injected; the
    others, in `parameters`, are the tool's input.
    """

    __slots__ = ("context_name", "hints", "parameters", "returns", "takes_client")

    def __init__(self, function: Callable[..., Any], takes_client: bool) -> None:
        found = list(inspect.signature(function).parameters.values())
        if takes_client and not found:
            raise TypeError(f"{function.__qualname__}: the first parameter is the open client")
        self.takes_client = takes_client
        inputs = found[1:] if takes_client else found
        for parameter in inputs:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"{function.__qualname__}: name every parameter (no * or **)")
        self.hints = _hints(function, [p.name for p in inputs])
        self.context_name = next((p.name for p in inputs if self.hints[p.name] is Context), None)
        self.parameters = [p for p in inputs if p.name != self.context_name]
        self.returns = self.hints["return"]


def _hints(function: Callable[..., Any], wanted: list[str]) -> dict[str, Any]:
    """The annotations of *wanted* and the return, evaluated.

    The client's annotation stays out: it may name a vendor type that is only
    imported under TYPE_CHECKING.
    """
    raw = getattr(function, "__annotations__", {})
    for name in (*wanted, "return"):
        if name not in raw:
            what = "its return" if name == "return" else f"parameter {name!r}"
            raise TypeError(f"{function.__qualname__}: annotate {what}")
    kept = types.SimpleNamespace(__annotations__={n: raw[n] for n in (*wanted, "return")})
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    return typing.get_type_hints(kept, globalns=scope, include_extras=True)


def input_model(name: str, signature: Signature) -> Any:
    """A pydantic model of the tool's input; unknown fields are refused."""
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {
        p.name: (signature.hints[p.name], ... if p.default is p.empty else p.default)
        for p in signature.parameters
    }
    config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")
    with warnings.catch_warnings():
        # A parameter may be called `schema` or `json`: nobody uses the model's own.
        warnings.filterwarnings("ignore", message=".*shadows an attribute", category=UserWarning)
        return create_model(name, __config__=config, **fields)


def input_schema(model: Any) -> dict[str, Any]:
    """JSON Schema (2020-12) of what the tool takes."""
    schema: dict[str, Any] = model.model_json_schema(mode="validation")
    return _tidy(schema)


def output_schema(adapter: Any) -> dict[str, Any]:
    """JSON Schema (2020-12) of what the tool gives, as it is written to JSON."""
    schema: dict[str, Any] = adapter.json_schema(mode="serialization")
    return _tidy(schema)


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Without pydantic's made-up titles, which say nothing that the names do not."""
    return {k: _untitled(v) for k, v in schema.items() if k != "title"}


def _untitled(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            k: _untitled(v) for k, v in node.items() if not (k == "title" and isinstance(v, str))
        }
    if isinstance(node, list):
        return [_untitled(v) for v in node]
    return node


_PLAIN = (str, int, float, bool, type(None), Any)
# What `Annotated` may add without changing the value: limits and descriptions.
_ONLY_SAYS = ("annotated_types", "pydantic.fields", "builtins")


def is_plain(annotation: Any, within: frozenset[Any] = frozenset()) -> bool:
    """Whether a JSON value of this type already is the Python value (no conversion needed).

    *within* has the TypedDicts round it: one that holds itself is as plain as its rest.
    """
    if any(annotation is plain for plain in _PLAIN):
        return True
    if item_of(annotation) is not None:
        return True  # it makes what comes of it itself
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        added = annotation.__metadata__
        return is_plain(arguments[0], within) and all(
            type(a).__module__ in _ONLY_SAYS for a in added
        )
    if origin is typing.Literal:
        return True
    if origin in (list, dict, typing.Union, types.UnionType):
        return all(is_plain(a, within) for a in arguments)
    if isinstance(annotation, type) and hasattr(annotation, "__required_keys__"):  # a TypedDict
        hints = typing.get_type_hints(annotation).values()
        inner = within | {annotation}
        return annotation in within or all(is_plain(hint, inner) for hint in hints)
    return annotation in (list, dict)
