"""Rows completed with what a lookup gives for their keys, asked in batches.

The lookup is asked once for each key that occurs, however many rows have it.
A row's `key` may be a field, several, or row field to answer field; null
matches nothing, as in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from drawloom.dataflow.aggregation import Row, field_of, identity_of
from drawloom.dataflow.values import UNDEFINED
from drawloom.errors import ValueInvalid

Missing: TypeAlias = Literal["fail", "keep", "drop"]


@dataclass(frozen=True, slots=True)
class Enrichment:
    """How rows and answers belong together.

    `key` is the rows' field and `match` the answers'. `found` is the dotted path to
    the answers in what the lookup gives ("" for all of it); a single object counts as
    one answer. What was found goes into the row's field `into`, or where that is
    empty its `fields` (all of them if none are named) go beside the row's own.
    `many` gives each row the list of all its answers.
    """

    key: str
    match: str
    found: str = ""
    into: str = ""
    fields: tuple[str, ...] = ()
    batch: int = 100
    many: bool = False
    missing: Missing = "fail"

    def batches(self, rows: Sequence[Any]) -> list[Any]:
        """The keys that occur, each once, in their order; alone where `batch` is 1.

        Raises `ValueInvalid` for a row that is no object or has no such field.
        """
        keys: dict[Any, Any] = {}
        for index, row in enumerate(rows):
            key = self._key(row, index)
            if key is not None:
                keys.setdefault(identity_of(key), key)
        every = list(keys.values())
        if self.batch == 1:
            return every
        return [every[at : at + self.batch] for at in range(0, len(every), self.batch)]

    def joined(self, rows: Sequence[Row], keys: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """The rows with what was found: `{rows, missing}`, where missing counts rows without.

        *keys* and *outputs* belong together; what one key alone was asked for needs no
        field `match` in its answer. Raises `ValueInvalid` naming the row.
        """
        known: dict[Any, list[Any]] = {}
        for asked, output in zip(keys, outputs, strict=True):
            for answer in self._answers(output):
                key = asked if self.batch == 1 and not self.match else self._matched(answer)
                known.setdefault(identity_of(key), []).append(answer)
        made, missing = [], 0
        for index, row in enumerate(rows):
            key = self._key(row, index)
            found = [] if key is None else known.get(identity_of(key), [])
            missing += not found
            complete = self._complete(row, index, key, found)
            if complete is not None:
                made.append(complete)
        return {"rows": made, "missing": missing}

    def _key(self, row: Any, index: int) -> Any:
        if not isinstance(row, Mapping):
            raise ValueInvalid("core.enrich wants rows that are objects", f"/rows/{index}")
        key = field_of(row, self.key)
        if key is UNDEFINED:
            raise ValueInvalid(f"the row has no field {self.key!r}", f"/rows/{index}")
        return key

    def _matched(self, answer: Any) -> Any:
        key = field_of(answer, self.match) if isinstance(answer, Mapping) else UNDEFINED
        if key is UNDEFINED:
            raise ValueInvalid(f"an answer of the lookup has no field {self.match!r}; see `match`")
        return key

    def _answers(self, output: Any) -> list[Any]:
        found = output
        for name in filter(None, self.found.split(".")):
            found = found.get(name, UNDEFINED) if isinstance(found, Mapping) else UNDEFINED
        if found is UNDEFINED:
            raise ValueInvalid(f"what the lookup gives has no {self.found!r}; see `found`")
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def _complete(self, row: Row, index: int, key: Any, found: list[Any]) -> Row | None:
        if not found and not self.many:
            if self.missing == "fail":
                raise ValueInvalid(
                    f"the lookup found nothing for {self.key} {key!r}; "
                    "`missing: keep` or `missing: drop` would go on",
                    f"/rows/{index}",
                )
            if self.missing == "drop":
                return None
        if len(found) > 1 and not self.many:
            raise ValueInvalid(
                f"the lookup found {len(found)} answers for {self.key} {key!r}; `many: true` "
                "takes them all",
                f"/rows/{index}",
            )
        if self.many:
            return {**row, self.into: found}
        answer = found[0] if found else None
        if self.into:
            return {**row, self.into: answer}
        return self._beside(row, index, answer)

    def _beside(self, row: Row, index: int, answer: Any) -> Row:
        if answer is None:
            return {**row, **dict.fromkeys(self.fields)}
        if not isinstance(answer, Mapping):
            raise ValueInvalid("the lookup gives values; name the field for them in `into`")
        taken = {n: answer.get(n) for n in self.fields or answer if n != self.match}
        both = sorted(taken.keys() & row.keys())
        if both:
            raise ValueInvalid(
                f"row and answer both have {', '.join(both)}; choose `fields`, or use `into`",
                f"/rows/{index}",
            )
        return {**row, **taken}
