"""The little Markdown that the reference pages need, and JSON Schemas in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[3] / "src/drawloom"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Inline code."""
    return f"`{text}`"


def comments(path: str, pattern: str) -> dict[str, str]:
    """What stands as a comment behind each line that matches: the first group names it."""
    found = re.finditer(rf"^\s*{pattern}.*?#\s*(.+)$", (SOURCE / path).read_text(), re.MULTILINE)
    return {match[1]: match[2].strip() for match in found}


def fields(schema: Mapping[str, Any]) -> str:
    """The properties of an object as a table."""
    needed = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    rows = [
        [code(name), kind(field, definitions), _presence(name, field, needed), about(field)]
        for name, field in schema.get("properties", {}).items()
    ]
    return table(["name", "type", "", "what it is"], rows) if rows else "Nothing.\n"


def _presence(name: str, field: Mapping[str, Any], needed: set[str]) -> str:
    if name in needed:
        return "required"
    if field.get("default") is None:
        return "optional"
    return f"default {code(json.dumps(field['default'], ensure_ascii=False))}"


def about(field: Mapping[str, Any]) -> str:
    """The description, and the limits that the type does not show."""
    limits = [
        f"{word} {_number(field[key])}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
            ("minItems", "items at least"),
            ("maxItems", "items at most"),
        )
        if key in field
    ]
    said = str(field.get("description", "")).rstrip()
    return " ".join(filter(None, [said, f"({', '.join(limits)})" if limits else ""]))


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)


def parts(schema: Mapping[str, Any]) -> str:
    """The objects that `fields` names: one table each."""
    found = schema.get("$defs", {}).items()
    return "\n".join(
        f"{code(name)} has:\n\n{fields({**inner, '$defs': schema['$defs']})}"
        for name, inner in found
        if inner.get("properties") and not _is_secret(inner)
    )


def _is_secret(schema: Mapping[str, Any]) -> bool:
    return set(schema.get("properties", ())) == {"env", "file"}


def kind(schema: Any, definitions: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words, such as `list of text`."""
    if not isinstance(schema, Mapping) or not schema:
        return "any value"
    if _is_secret(schema):
        return "secret"
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        inner = definitions.get(name, {})
        named = inner.get("properties") and not _is_secret(inner)
        return code(name) if named else kind(inner, definitions)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(kind(s, definitions) for s in schema[key]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(code(json.dumps(value)) for value in values)
    types = schema.get("type")
    if isinstance(types, list):
        return " or ".join(kind({**schema, "type": name}, definitions) for name in types)
    return _simple(str(types), schema, definitions)


_WORDS = {"string": "text", "boolean": "true or false", "null": "null"}


def _simple(name: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if name == "array":
        inner = schema.get("items")
        return f"list of {kind(inner, definitions)}" if inner else "list"
    if name == "object":
        below = schema.get("additionalProperties")
        return f"object of {kind(below, definitions)}" if isinstance(below, Mapping) else "object"
    return _WORDS.get(name, name if name != "None" else "any value")
