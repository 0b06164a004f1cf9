"""JSON Schema (2020-12, or what `$schema` says) of values: does it fit, and if not, where.

Formats are checked. Patterns run on a linear-time engine, so that no pattern
can hang a run; it has no look-around and no back-references, and a schema with
them is refused. A `$ref` is never fetched from a network.

Three formats admit more than RFC 3339, for a value's encoding has it:
`date-time` and `time` without an offset, and `duration` with a sign or a
fraction of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jsonschema_rs

from drawloom.dataflow.values import pointer
from drawloom.errors import ValueInvalid

LONGEST_EXCERPT: Final = 200
_LONGEST_MESSAGE: Final = 600
_REMEMBERED: Final = 1_024

# Stands in the engine's messages for the value, which may be large or anything.
_MASK: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


class Validator:
    """One compiled schema. Immutable, and safe to share between threads.

    Raises `ValueInvalid`, with the place in the schema, where *schema* is none.
    """

    __slots__ = ("_engine", "is_valid", "schema")

    is_valid: Callable[[Any], bool]  # the engine's own method: called for every value

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        self.schema = schema
        try:
            self._engine = jsonschema_rs.validator_for(schema, **_OPTIONS)  # type: ignore[arg-type]
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as exc:
            raise _unusable(exc, schema) from None
        self.is_valid = self._engine.is_valid

    def check(self, value: Any, where: str = "") -> None:
        """Raise `ValueInvalid` at the first place where *value* does not fit.

        *where* names the value for a reader (`the input of step late`); `path`
        of the error is a JSON Pointer inside the value.
        """
        if not self._engine.is_valid(value):
            found = self._first(value)
            message = _explained(found, value)
            text = f"{where}: {message}" if where else message
            raise ValueInvalid(text, pointer(found.instance_path))

    def _first(self, value: Any) -> jsonschema_rs.ValidationError:
        try:
            self._engine.validate(value)
        except jsonschema_rs.ValidationError as exc:
            return exc
        raise AssertionError("the two ways to validate must agree")

    def errors(self, value: Any, at_most: int = 100) -> list[tuple[str, str]]:
        """All places where *value* does not fit: JSON Pointer and message, in document order."""
        found: list[tuple[str, str]] = []
        for error in self._engine.iter_errors(value):
            if len(found) == at_most:
                break
            found.append((pointer(error.instance_path), _explained(error, value)))
        return found


_by_identity: dict[int, tuple[Any, Validator]] = {}


def validator_for(schema: Mapping[str, Any] | bool) -> Validator:
    """The `Validator` of *schema*, remembered by the identity of the schema object.

    For schemas that live long and do not change, as a tool's do.
    """
    held = _by_identity.get(id(schema))
    if held is not None:
        return held[1]
    made = Validator(schema)
    if len(_by_identity) >= _REMEMBERED:
        # The oldest goes; another thread may have been quicker to remove it.
        _by_identity.pop(next(iter(list(_by_identity))), None)
    # The schema is held too, so that its identity is not given to another object.
    _by_identity[id(schema)] = (schema, made)
    return made


def apply_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """*value* with the defaults of absent top-level properties; the same object if none is."""
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, Mapping):
        return value
    absent = {
        name: _copied(each["default"])
        for name, each in properties.items()
        if name not in value and isinstance(each, Mapping) and "default" in each
    }
    return {**value, **absent} if absent else value


def _copied(value: Any) -> Any:
    """A copy that the receiver may change without changing the schema."""
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def excerpt(value: Any, at_most: int = LONGEST_EXCERPT) -> str:
    """The beginning of *value* as JSON text; of a big value only that much is written."""
    parts: list[str] = []
    size = 0
    for piece in _pieces(value, at_most):
        parts.append(piece)
        size += len(piece)
        if size > at_most:
            return "".join(parts)[: at_most - 1] + "…"
    return "".join(parts)


def _pieces(value: Any, at_most: int) -> Iterator[str]:
    if isinstance(value, str):
        yield json.dumps(value[: at_most + 1], ensure_ascii=False)
    elif isinstance(value, dict):
        mark = "{"
        for key, inner in value.items():
            yield f"{mark}{json.dumps(str(key)[: at_most + 1], ensure_ascii=False)}: "
            yield from _pieces(inner, at_most)
            mark = ", "
        yield "}" if value else "{}"
    elif isinstance(value, list | tuple):
        mark = "["
        for inner in value:
            yield mark
            yield from _pieces(inner, at_most)
            mark = ", "
        yield "]" if value else "[]"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def _explained(error: jsonschema_rs.ValidationError, root: Any) -> str:
    shown = excerpt(_found(root, error.instance_path))
    kind = error.kind
    match kind.name:
        case "additionalProperties" | "unevaluatedProperties":
            names = ", ".join(excerpt(name, 60) for name in kind.value[:5])
            more = f" and {len(kind.value) - 5} more" if len(kind.value) > 5 else ""
            return f"no field of that name is known here: {names}{more}"
        case "anyOf" | "oneOf" if getattr(kind, "context", None):
            reasons = [_explained(branch[0], root) for branch in kind.context[:4] if branch]  # type: ignore[attr-defined]
            said = "; ".join(dict.fromkeys(reasons))
            return _cut(f"{shown} fits none of the {len(kind.context)} forms: {said}")  # type: ignore[attr-defined]
    return _cut(error.message.replace(_MASK, shown))


def _cut(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def _found(root: Any, path: list[str | int]) -> Any:
    """The value at *path*. Not the engine's copy of it: that may be a big one."""
    for segment in path:
        root = root[segment]
    return root


def _unusable(exc: Exception, schema: Any) -> ValueInvalid:
    if not isinstance(exc, jsonschema_rs.ValidationError):
        return ValueInvalid(f"the schema cannot be used: {_cut(str(exc))}")
    shown = excerpt(_found(schema, exc.instance_path), 100) if exc.instance_path else "the schema"
    said = exc.message.replace(_MASK, shown)
    if exc.instance_path and exc.instance_path[-1] == "pattern":
        said += " of the linear-time engine (which has no look-around or back-references)"
    return ValueInvalid(f"the schema is invalid: {_cut(said)}", pointer(exc.instance_path))


def _strict(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True)


_DATE_TIME, _TIME, _DURATION = _strict("date-time"), _strict("time"), _strict("duration")
_OWN_DURATION = re.compile(
    r"-?P(?!$)(?:\d+D)?(?:T(?!$)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,6})?S)?)?", re.ASCII
)


def _is_date_time(text: str) -> bool:
    return _DATE_TIME.is_valid(text) or _DATE_TIME.is_valid(f"{text}Z")


def _is_time(text: str) -> bool:
    return _TIME.is_valid(text) or _TIME.is_valid(f"{text}Z")


def _is_duration(text: str) -> bool:
    return _DURATION.is_valid(text) or _OWN_DURATION.fullmatch(text) is not None


_OPTIONS: dict[str, Any] = {
    "formats": {"date-time": _is_date_time, "time": _is_time, "duration": _is_duration},
    "validate_formats": True,
    "pattern_options": jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20),
    "offline": True,
    "mask": _MASK,
}
