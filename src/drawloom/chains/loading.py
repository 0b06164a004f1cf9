"""From text, or from plain data, to a `Chain`; what is wrong comes all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from drawloom.chains.document import After, Chain, Compensation, Concurrency, Repeat, Step
from drawloom.chains.findings import Finding, escape
from drawloom.chains.json_source import looks_like_json, read_json_source
from drawloom.chains.reading import Limits, refused
from drawloom.chains.source import Source
from drawloom.chains.structure import structural_findings
from drawloom.chains.yaml_source import read_yaml
from drawloom.dataflow.durations import seconds
from drawloom.errors import FailureKind
from drawloom.policies import Retry
from drawloom.policies.cache import CacheRule

#: The tool of a step that was salvaged without one.
NO_TOOL = "?"
_RETRY_DURATIONS = ("delay", "max_delay", "budget")


def load(
    text: str | bytes,
    *,
    file: str | None = None,
    limits: Limits | None = None,
    keep_unknown: bool = False,
) -> Chain:
    """The chain that *text* (YAML, or JSON) describes.

    *file* is the name that findings show; `.json`, `.yaml` or `.yml` decides how
    it is read. *keep_unknown* lets unknown fields pass into `Chain.document`, for
    an editor; `check` still reports them. Raises `ChainInvalid` with every
    structural finding.
    """
    document, source = read_source(text, file=file, limits=limits)
    return chain_of(document, source=source, keep_unknown=keep_unknown)


def read_source(
    text: str | bytes, *, file: str | None = None, limits: Limits | None = None
) -> tuple[Any, Source]:
    """The plain data of *text* (YAML or JSON) and the places in it; raises `ChainInvalid`."""
    read = read_json_source if looks_like_json(text, file) else read_yaml
    return read(text, file=file, limits=limits)


def chain_of(document: Any, *, source: Source | None = None, keep_unknown: bool = False) -> Chain:
    """The chain that plain data describes; raises `ChainInvalid` with every structural finding."""
    findings = structural_findings(document, source, keep_unknown=keep_unknown)
    if findings:
        raise refused(list(findings))
    return _chain(document, source)


def salvage(document: Any, source: Source | None) -> tuple[Chain | None, tuple[Finding, ...]]:
    """What can be made of a faulty document, for a check that reports everything at once.

    Each field that a structural finding points at is left out of the chain. None
    where not even steps are left.
    """
    findings = structural_findings(document, source)
    kept = document
    for _ in range(3):  # leaving a field out may leave its owner without what it must have
        bad = structural_findings(kept, None, keep_unknown=True)
        if not bad:
            return _chain(kept, source, document), findings
        kept = _mended(_without(kept, {f.pointer for f in bad if not _may_be_mended(f)}))
    return None, findings


def _may_be_mended(finding: Finding) -> bool:
    """Whether it says that a chain has no name, or a step no tool."""
    of_step = finding.pointer.startswith("/steps/") and finding.pointer.count("/") == 2
    return finding.code == "missing-field" and (of_step or not finding.pointer)


def _mended(document: Any) -> Any:
    """With a name for a chain that has none, and `NO_TOOL` for a step without a tool."""
    if not isinstance(document, Mapping) or not isinstance(document.get("steps"), Mapping):
        return document
    steps = {name: {"use": NO_TOOL, **step} for name, step in document["steps"].items()}
    return {"chain": "unnamed", **document, "steps": steps}


def _without(node: Any, pointers: set[str], at: str = "") -> Any:
    """A copy of *node* without what the pointers name. The depth is bounded by the reader."""
    if isinstance(node, Mapping):
        named = {name: f"{at}/{escape(name)}" for name in node}
        return {n: _without(node[n], pointers, p) for n, p in named.items() if p not in pointers}
    if isinstance(node, list):
        placed = [(inner, f"{at}/{n}") for n, inner in enumerate(node)]
        return [_without(inner, pointers, p) for inner, p in placed if p not in pointers]
    return node


def _chain(document: Mapping[str, Any], source: Source | None, whole: Any = None) -> Chain:
    fields = {
        name: document[name]
        for name in ("version", "title", "description", "input", "connections", "vars", "output",
                     "on_failure", "priority", "note", "ui")
        if name in document
    }  # fmt: skip
    return Chain(
        name=document["chain"],
        steps={name: _step(name, step) for name, step in document["steps"].items()},
        timeout=_duration(document, "timeout"),
        concurrency=_concurrency(document.get("concurrency")),
        tests=tuple(document.get("tests", ())),
        document=document if whole is None else whole,
        source=source,
        **fields,
    )


def _step(name: str, fields: Mapping[str, Any]) -> Step:
    plain = {
        key: fields[key]
        for key in ("use", "on", "when", "join", "for_each", "concurrency", "batch", "on_error",
                    "resources", "note", "ui")
        if key in fields
    }  # fmt: skip
    return Step(
        name=name,
        with_=fields.get("with", {}),
        after=_after(fields.get("after", {})),
        timeout=_duration(fields, "timeout"),
        cache=_cache(fields.get("cache")),
        retry=_retry(fields["retry"]) if "retry" in fields else None,
        repeat=_repeat(fields["repeat"]) if "repeat" in fields else None,
        compensate=_compensation(fields["compensate"]) if "compensate" in fields else None,
        **plain,
    )


def _after(written: Any) -> Mapping[str, After]:
    if isinstance(written, list):
        return dict.fromkeys(written, "succeeded")
    return cast(Mapping[str, After], written)


def _duration(fields: Mapping[str, Any], name: str) -> float | None:
    return seconds(fields[name]) if name in fields else None


def _retry(fields: Mapping[str, Any]) -> Retry:
    given: dict[str, Any] = {
        name: seconds(value) if name in _RETRY_DURATIONS else value
        for name, value in fields.items()
        if name != "on"
    }
    for name in ("factor", "jitter"):
        if name in given:
            given[name] = float(given[name])
    if "on" in fields:
        given["on"] = frozenset(FailureKind(kind) for kind in fields["on"])
    return Retry(**_known(Retry, given))


def _repeat(fields: Mapping[str, Any]) -> Repeat:
    delay = _duration(fields, "delay") or 0.0
    return Repeat(fields["until"], delay, fields.get("limit", 100))


def _compensation(fields: Mapping[str, Any]) -> Compensation:
    return Compensation(
        fields["use"],
        fields.get("on"),
        fields.get("with", {}),
        _retry(fields["retry"]) if "retry" in fields else None,
        _duration(fields, "timeout"),
    )


def _cache(written: Any) -> CacheRule | None:
    if isinstance(written, Mapping):
        stale = _duration(written, "stale") or 0.0
        return CacheRule(seconds(written["ttl"]), stale, tuple(written.get("tags", ())))
    return None if written is None else CacheRule(seconds(written))


def _concurrency(written: Any) -> Concurrency | None:
    if isinstance(written, Mapping):
        return Concurrency(written["limit"], str(written.get("key", "")))
    return None if written is None else Concurrency(written)


def _known(owner: type, given: dict[str, Any]) -> dict[str, Any]:
    """Without fields that an editor keeps but nobody knows."""
    return {name: value for name, value in given.items() if name in owner.__slots__}  # type: ignore[attr-defined]
