"""Turn `--input name=value` and `--input-json` into values, by the schema of what takes them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from drawloom.chains.findings import did_you_mean
from drawloom.dataflow.values import LARGEST_TEXT, read_json
from drawloom.errors import ValueInvalid

_WORDS: Final = {"true": True, "false": False}


def read_input(
    given: Iterable[str] | None, whole: str | None, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """The input as one object. Raises `ValueInvalid` naming the field.

    A text stays a text where the field takes one; else it is read as what the
    field takes: a number, true or false, null, or JSON for a list or an object.
    """
    read = {} if whole is None else _whole(whole)
    found = {**read, **read_fields(given or (), schema)}
    if missing := [name for name in schema.get("required", ()) if name not in found]:
        options = " ".join(f"--input {name}=VALUE" for name in missing)
        raise ValueInvalid(f"the input lacks {', '.join(missing)}; give it with {options}")
    return found


def read_fields(
    given: Iterable[str], schema: Mapping[str, Any], option: str = "--input"
) -> dict[str, Any]:
    """Fields given as NAME=VALUE, each read by its type. Raises `ValueInvalid`."""
    fields: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals:
            raise ValueInvalid(f"{option} {item}: write NAME=VALUE")
        if name in fields:
            raise ValueInvalid(f"{option} {name} is given twice")
        fields[name] = _field(name, text, schema)
    return fields


def _whole(source: str) -> dict[str, Any]:
    value = read_json(_text(source), source="--input-json")
    if not isinstance(value, dict):
        raise ValueInvalid("--input-json must be an object with the names of the input")
    return value


def _text(source: str) -> bytes | str:
    if source == "-":
        return sys.stdin.buffer.read(LARGEST_TEXT + 1)
    if not source.startswith("@"):
        return source
    path = Path(source[1:])
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_TEXT + 1)
    except OSError as exc:
        raise ValueInvalid(f"--input-json: cannot read {path}: {exc.strerror}") from None


def _field(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    known = schema.get("properties", {})
    if name not in known:
        if schema.get("additionalProperties", True) is not False:
            return text
        advice = did_you_mean(name, known) or f"its names: {', '.join(known) or 'none'}"
        raise ValueInvalid(f"--input {name}: there is no such input; {advice}")
    return typed(name, text, _types(known[name], schema))


def typed(name: str, text: str, types: frozenset[str]) -> Any:
    """*text* as one of *types* (JSON Schema's names of types; none means any)."""
    if "string" in types:
        return None if text == "null" and "null" in types else text
    if not types:
        return _guessed(text)
    if text in _WORDS and "boolean" in types:
        return _WORDS[text]
    try:
        value = read_json(text)
    except ValueInvalid:
        value = text
    if not _fits(value, types):
        wanted = " or ".join(sorted(map(_called, types)))
        raise ValueInvalid(f"--input {name}: {text!r} is not {wanted}")
    return value


def _guessed(text: str) -> Any:
    """Where anything goes: JSON if it is a list or an object, else the text itself."""
    return read_json(text) if text.lstrip()[:1] in ("{", "[") else text


def _fits(value: Any, types: frozenset[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, str):
        return False
    if isinstance(value, int):
        return bool(types & {"integer", "number"})
    if isinstance(value, float):
        return "number" in types or ("integer" in types and value.is_integer())
    kind = {list: "array", dict: "object", type(None): "null"}[type(value)]
    return kind in types


def _called(kind: str) -> str:
    if kind == "boolean":
        return "true or false"
    words = {"array": "a JSON list", "object": "a JSON object", "integer": "an integer"}
    return words.get(kind, f"a {kind}" if kind != "null" else "null")


def _types(schema: Any, root: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """The types that *schema* admits; none where it does not say."""
    if not isinstance(schema, Mapping) or depth > 8:
        return frozenset()
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        return _types(root.get("$defs", {}).get(reference[8:]), root, depth + 1)
    if "type" in schema:
        kinds = schema["type"]
        return frozenset([kinds] if isinstance(kinds, str) else kinds)
    if "enum" in schema or "const" in schema:
        return frozenset(_type_of(value) for value in schema.get("enum", [schema.get("const")]))
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    found = [_types(part, root, depth + 1) for part in parts]
    return frozenset().union(*found) if found and all(found) else frozenset()


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return names.get(type(value), "null" if value is None else "object")
