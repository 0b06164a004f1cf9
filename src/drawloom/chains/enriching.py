"""`core.enrich` is compiled away: its step becomes the lookup, called for batches of keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drawloom.chains.document import Step
from drawloom.dataflow.enrichment import Enrichment
from drawloom.errors import ChainInvalid

ENRICH = "core.enrich"


def enriched(name: str, step: Step) -> tuple[Step, Enrichment]:
    """The step as its lookup, and how rows and answers belong together.

    In the lookup's `with`, `item` is the list of keys (with `batch: 1` the key).
    Raises `ChainInvalid` for what has to be written out and is not, or is wrong.
    """
    given = step.with_
    where = f"steps.{name}.with"
    if not isinstance(given, Mapping):
        raise ChainInvalid(f"{where}: core.enrich wants its fields written out")
    lookup = given.get("lookup")
    if not isinstance(lookup, Mapping) or not isinstance(lookup.get("use"), str):
        raise ChainInvalid(f"{where}.lookup: write the tool to ask: {{use: …, with: …}}")
    if step.for_each is not None or step.batch is not None or step.repeat is not None:
        raise ChainInvalid(f"steps.{name}: core.enrich goes over its rows by itself")
    if "rows" not in given:
        raise ChainInvalid(f"{where}: core.enrich needs 'rows'")
    made = replace(
        step,
        use=lookup["use"],
        on=lookup.get("on"),
        with_=lookup.get("with", {}),
        for_each=given["rows"],
    )
    return made, enrichment_of(given, where)


def enrichment_of(given: Mapping[str, Any], where: str) -> Enrichment:
    """What `with` says of how rows and answers belong together. Raises `ChainInvalid`."""
    key = given.get("key")
    batch = given.get("batch", 100)
    many, into = given.get("many", False), given.get("into", "")
    if not isinstance(key, str) or not key:
        raise ChainInvalid(f"{where}.key: name the rows' field to look up")
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise ChainInvalid(f"{where}.batch: give a whole number of keys, 1 or more")
    if given.get("missing", "fail") not in ("fail", "keep", "drop"):
        raise ChainInvalid(f"{where}.missing: choose fail, keep or drop")
    if many and not into:
        raise ChainInvalid(f"{where}.into: `many: true` needs the field for the list")
    return Enrichment(
        key=key,
        match=given.get("match", "" if batch == 1 else key),
        found=given.get("found", ""),
        into=into,
        fields=tuple(given.get("fields", ())),
        batch=batch,
        many=bool(many),
        missing=given.get("missing", "fail"),
    )
