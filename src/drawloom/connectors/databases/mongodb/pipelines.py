"""Pipelines of aggregation: stages that are known, expressions without JavaScript, bound values.

In an expression "$name" is a field and an object may be an operator, so a value
that comes from data does not stand there: `{"$arg": "name"}` does, and the value
is given in `args`, as in SQL. It is bound as a `$literal`. In `$match` the rules
of filters hold, and a value may stand under its operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drawloom.connectors.databases.mongodb.client import checked_name
from drawloom.connectors.databases.mongodb.filters import Language, filter_of
from drawloom.connectors.databases.mongodb.values import is_typed, to_bson
from drawloom.errors import invalid

_DEEPEST = 50
_JAVASCRIPT = frozenset({"$function", "$accumulator", "$where", "$_internalJsEmit", "$code"})
WRITING = frozenset({"$out", "$merge"})
_CHANGING = frozenset({"$set", "$addFields", "$unset", "$project", "$replaceRoot", "$replaceWith"})
_WATCHING = _CHANGING | {"$match", "$redact"}


@dataclass(frozen=True, slots=True)
class Rules:
    """What may stand in a pipeline, and the values of its `$arg`s."""

    language: Language
    args: Mapping[str, Any]
    stages: frozenset[str]


def reading_pipeline(
    given: Any, language: Language, args: Mapping[str, Any], where: str = "pipeline"
) -> list[dict[str, Any]]:
    """A pipeline that only looks: `$out` and `$merge` are refused."""
    return _stages(given, Rules(language, args, frozenset(_STAGES)), where, 0)


def writing_pipeline(
    given: Any, language: Language, args: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A pipeline whose last stage is `$out` or `$merge`."""
    if not isinstance(given, list) or not given or not _writes(given[-1]):
        raise invalid("pipeline: its last stage is $out or $merge; mongodb.aggregate only reads")
    rules = Rules(language, args, frozenset(_STAGES))
    return [
        *_stages(given[:-1], rules, "pipeline", 0),
        _writing(given[-1], rules, f"pipeline[{len(given) - 1}]"),
    ]


def changing_pipeline(
    given: Any, language: Language, args: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The pipeline of an update, of the few stages that one may have."""
    return _stages(given, Rules(language, args, _CHANGING), "update", 0)


def watching_pipeline(
    given: Any, language: Language, args: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The pipeline of a change stream, of the few stages that one may have."""
    return _stages(given, Rules(language, args, _WATCHING), "pipeline", 0)


def expression(given: Any, rules: Rules, where: str, depth: int = 0) -> Any:
    """An expression as the driver takes it, its `$arg`s bound."""
    if depth > _DEEPEST:
        raise invalid(f"{where}: an expression is at most {_DEEPEST} deep")
    if isinstance(given, list):
        return [expression(one, rules, f"{where}[{n}]", depth + 1) for n, one in enumerate(given)]
    if not isinstance(given, dict):
        return to_bson(given, where)
    if given.keys() == {"$arg"}:
        return {"$literal": _argument(given["$arg"], rules, where)}
    if given.keys() == {"$literal"}:
        return {"$literal": to_bson(given["$literal"], where)}
    if given and is_typed(given):
        return to_bson(given, where)
    return {
        _name(key, rules, where): expression(value, rules, f"{where}.{key}", depth + 1)
        for key, value in given.items()
    }


def _argument(name: Any, rules: Rules, where: str) -> Any:
    if not isinstance(name, str) or name not in rules.args:
        raise invalid(f"{where}: args has no {name!r:.80}")
    return to_bson(rules.args[name], f"args.{name}")


def _name(key: str, rules: Rules, where: str) -> str:
    if "\0" in key:
        raise invalid(f"{where}: the name {key!r:.80} holds a NUL")
    if key in _JAVASCRIPT and not rules.language.javascript:
        raise invalid(f"{where}: {key} is JavaScript, which needs allow_javascript")
    return key


def _stages(given: Any, rules: Rules, where: str, depth: int) -> list[dict[str, Any]]:
    if not isinstance(given, list) or depth > _DEEPEST:
        raise invalid(f"{where}: a pipeline is a list of stages")
    return [_stage(one, rules, f"{where}[{n}]", depth) for n, one in enumerate(given)]


def _stage(given: Any, rules: Rules, where: str, depth: int) -> dict[str, Any]:
    if not isinstance(given, dict) or len(given) != 1:
        raise invalid(f"{where}: a stage is an object with one name")
    [(name, body)] = given.items()
    if name in WRITING:
        raise invalid(
            f"{where}: {name} writes; mongodb.aggregate_into takes it, as the last stage"
        )
    if name not in rules.stages:
        raise invalid(f"{where}: {name!r:.80} is no stage that is known here")
    return {name: _STAGES[name](body, rules, f"{where}.{name}", depth)}


def _match(body: Any, rules: Rules, where: str, depth: int) -> Any:
    inner = replace(rules.language, expression=lambda e, at: expression(e, rules, at))
    return filter_of(body, inner, where)


def _expression(body: Any, rules: Rules, where: str, depth: int) -> Any:
    return expression(body, rules, where)


def _whole(body: Any, rules: Rules, where: str, depth: int) -> Any:
    if type(body) is not int or body < 0:
        raise invalid(f"{where}: it takes a whole number")
    return body


def _facets(body: Any, rules: Rules, where: str, depth: int) -> Any:
    if not isinstance(body, dict):
        raise invalid(f"{where}: it takes an object of pipelines")
    return {
        _name(name, rules, where): _stages(inner, rules, f"{where}.{name}", depth + 1)
        for name, inner in body.items()
    }


def _with(*special: str) -> Callable[[Any, Rules, str, int], Any]:
    """A stage of which some parts are pipelines or filters, and the rest expressions."""

    def read(body: Any, rules: Rules, where: str, depth: int) -> Any:
        if isinstance(body, str):
            return checked_name(body)
        if not isinstance(body, dict):
            raise invalid(f"{where}: it takes an object")
        found: dict[str, Any] = {}
        for name, inner in body.items():
            at = f"{where}.{name}"
            if name in ("from", "coll"):
                found[name] = _collection(inner, at)
            elif name in special and name == "pipeline":
                found[name] = _stages(inner, rules, at, depth + 1)
            elif name in special:
                found[name] = _match(inner, rules, at, depth)
            else:
                found[_name(name, rules, where)] = expression(inner, rules, at)
        return found

    return read


def _collection(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise invalid(f"{where}: it names a collection of this database")
    return checked_name(given)


def _writes(stage: Any) -> bool:
    return isinstance(stage, dict) and len(stage) == 1 and next(iter(stage)) in WRITING


def target_of(stage: Mapping[str, Any]) -> Any:
    """What a stage that writes names as its collection: a name, unless it is wrong."""
    [(name, body)] = stage.items()
    inner = body if isinstance(body, dict) else {}
    target = body if isinstance(body, str) else inner.get("coll" if name == "$out" else "into")
    return target.get("coll") if isinstance(target, dict) else target


def _writing(given: dict[str, Any], rules: Rules, where: str) -> dict[str, Any]:
    [(name, body)] = given.items()
    inner = body if isinstance(body, dict) else {}
    target = target_of(given)
    if not isinstance(target, str) or "db" in inner or "db" in (inner.get("into") or ()):
        raise invalid(f"{where}.{name}: it names a collection of this database, and no other")
    checked_name(target)
    if isinstance(inner.get("whenMatched"), list):
        matched = _stages(inner["whenMatched"], replace(rules, stages=_CHANGING), where, 1)
        rest = {k: v for k, v in inner.items() if k != "whenMatched"}
        return {name: {**expression(rest, rules, where), "whenMatched": matched}}
    return {name: expression(body, rules, where)}


_STAGES: dict[str, Callable[[Any, Rules, str, int], Any]] = {
    "$match": _match,
    "$limit": _whole,
    "$skip": _whole,
    "$facet": _facets,
    "$lookup": _with("pipeline"),
    "$unionWith": _with("pipeline"),
    "$graphLookup": _with("restrictSearchWithMatch"),
    "$geoNear": _with("query"),
    **dict.fromkeys(
        (
            *("$addFields", "$bucket", "$bucketAuto", "$collStats", "$count", "$densify"),
            *("$fill", "$group", "$indexStats", "$project", "$redact", "$replaceRoot"),
            *("$replaceWith", "$sample", "$set", "$setWindowFields", "$sort", "$sortByCount"),
            *("$unset", "$unwind"),
        ),
        _expression,
    ),
}
