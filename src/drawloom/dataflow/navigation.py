"""Follow a path through a JSON Schema: what may stand there, and whether it must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

_MOST_BRANCHES = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What a schema says of one path.

    `schema` is None where nothing is known. `found` is False where the schema
    says that nothing can stand there; then `depth` counts the parts that were
    found, `known` names the fields that are there instead and `kinds` the JSON
    types. `certain` is False where a valid value may lack it. `mapped` says that
    a list was crossed by name, so that the result is a sequence.
    """

    schema: Any = None
    found: bool = True
    certain: bool = True
    mapped: bool = False
    depth: int = 0
    known: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Branch:
    """One alternative on the way; `schema` None is unknown."""

    schema: Any
    certain: bool = True
    mapped: bool = False


def resolve(root: Any, schema: Any) -> Any:
    """*schema* with its local `$ref` followed; `{}` where the reference leads nowhere."""
    for _ in range(_MOST_BRANCHES):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        schema = _pointed(root, schema["$ref"])
    return {}


def _pointed(root: Any, ref: Any) -> Any:
    if not isinstance(ref, str) or not ref.startswith("#"):
        return {}
    node = root
    for part in ref[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return {}
    return node


def at(schema: Any, path: Iterable[str | int]) -> Place:
    """What *schema* says of *path*: names and literal indices. A name crosses lists, as in JSONata.

    Every schema given back stands on its own, its definitions with it.
    """
    here = [_Branch(schema)]
    parts = list(path)
    for depth, part in enumerate(parts):
        flat = [flatter for branch in here for flatter in _flat(schema, branch)]
        ahead = [found for branch in flat for found in _step(schema, branch, part)]
        if not ahead:
            return _missing(schema, flat, depth)
        # An alternative that has no such field (null, say) makes the whole uncertain.
        gaps = sum(1 for branch in flat if not _step(schema, branch, part))
        here = [replace(b, certain=b.certain and not gaps) for b in ahead[:_MOST_BRANCHES]]
    certain = all(branch.certain for branch in here)
    mapped = any(branch.mapped for branch in here)
    if any(branch.schema is None for branch in here):
        return Place(None, certain=certain, mapped=mapped, depth=len(parts))
    return Place(_joined(schema, here), certain=certain, mapped=mapped, depth=len(parts))


def _flat(root: Any, branch: _Branch, depth: int = 0) -> list[_Branch]:
    """The alternatives of *branch*, each without `$ref`, `anyOf` and `oneOf`."""
    schema = resolve(root, branch.schema)
    if not isinstance(schema, Mapping) or depth > 8:
        return [replace(branch, schema=None if schema is not False else False)]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return [
                flat
                for each in schema[word]
                for flat in _flat(root, replace(branch, schema=each), depth + 1)
            ]
    named = schema.get("type")
    if isinstance(named, list):
        return [replace(branch, schema={**schema, "type": each}) for each in named]
    return [replace(branch, schema=schema)]


def _step(root: Any, branch: _Branch, part: str | int) -> list[_Branch]:
    schema = branch.schema
    if schema is None:
        return [branch]
    if schema is False:
        return []
    kind = _kind(schema)
    if "allOf" in schema:
        return _of_all(root, branch, part)
    if isinstance(part, int):
        return _item(branch, part) if kind in ("array", "") else []
    if kind == "array":
        return _across(root, branch, part)
    return _field(branch, part) if kind in ("object", "") else []


def _kind(schema: Mapping[str, Any]) -> str:
    """The JSON type, or nothing where the schema does not say."""
    if "type" in schema:
        return str(schema["type"])
    for value in (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])):
        if not isinstance(value, dict | list):
            return "scalar"
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else ""


def _field(branch: _Branch, name: str) -> list[_Branch]:
    schema = branch.schema
    properties = schema.get("properties") or {}
    if name in properties:
        if properties[name] is False:
            return []
        sure = branch.certain and name in schema.get("required", ())
        return [replace(branch, schema=properties[name], certain=sure)]
    # A producer that names its fields has those; only one that says otherwise has more.
    extra = schema.get("additionalProperties", not properties)
    if "patternProperties" in schema or extra is True:
        return [replace(branch, schema=None)]
    return [replace(branch, schema=extra, certain=False)] if isinstance(extra, Mapping) else []


def _item(branch: _Branch, index: int) -> list[_Branch]:
    schema = branch.schema
    prefix = schema.get("prefixItems") or []
    sure = branch.certain and index < schema.get("minItems", 0)
    if index < len(prefix):
        return [replace(branch, schema=prefix[index], certain=sure)]
    items = schema.get("items", True)
    if items is False or index >= schema.get("maxItems", index + 1):
        return []
    return [replace(branch, schema=None if items is True else items, certain=sure)]


def _across(root: Any, branch: _Branch, name: str) -> list[_Branch]:
    """A name asked of a list is asked of each of its items."""
    schema = branch.schema
    items = [*(schema.get("prefixItems") or []), schema.get("items", True)]
    inner = [_Branch(None if each is True else each, branch.certain, True) for each in items]
    return [
        found
        for each in inner
        if each.schema is not False
        for flat in _flat(root, each)
        for found in _step(root, flat, name)
    ]


def _of_all(root: Any, branch: _Branch, part: str | int) -> list[_Branch]:
    rest = {k: v for k, v in branch.schema.items() if k != "allOf"}
    found: list[_Branch] = []
    for each in (rest, *branch.schema["allOf"]):
        for flat in _flat(root, replace(branch, schema=each)):
            found += [f for f in _step(root, flat, part) if f.schema is not None]
    return found or [replace(branch, schema=None)]


def _missing(root: Any, branches: list[_Branch], depth: int) -> Place:
    kinds: list[str] = []
    known: list[str] = []
    for branch in branches:
        schema = branch.schema
        if not isinstance(schema, Mapping):
            continue
        if _kind(schema) == "array":
            kinds.append("array")
            schema = resolve(root, schema.get("items", {}))
        if isinstance(schema, Mapping):
            kinds.append(_kind(schema))
            known += schema.get("properties") or {}
    return Place(
        None,
        found=False,
        certain=False,
        depth=depth,
        known=tuple(dict.fromkeys(known)),
        kinds=tuple(dict.fromkeys(kind for kind in kinds if kind)),
    )


def _joined(root: Any, branches: list[_Branch]) -> Any:
    """One schema for all alternatives, its definitions with it."""
    found = [branch.schema for branch in branches]
    made = found[0] if len(found) == 1 else {"anyOf": found}
    if not isinstance(made, Mapping) or made is root:
        return made
    refs = list(_refs(made))
    if not refs:
        return made
    if all(ref.startswith("#/$defs/") for ref in refs) and "$defs" not in made:
        return {**made, "$defs": root.get("$defs", {})}
    return None  # a reference to elsewhere in the document: known at run time


def _refs(node: Any) -> Iterable[str]:
    todo = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, Mapping):
            if isinstance(each.get("$ref"), str):
                yield each["$ref"]
            todo += each.values()
        elif isinstance(each, list):
            todo += each
