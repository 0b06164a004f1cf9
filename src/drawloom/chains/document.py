"""The chain document: what a chain and a step hold. YAML, the canvas and Python all make these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from drawloom.chains.source import Source
from drawloom.policies import Retry
from drawloom.policies.cache import CacheRule

After: TypeAlias = Literal["succeeded", "failed", "finished"]
Join: TypeAlias = Literal["all", "any"]
OnError: TypeAlias = Literal["fail", "continue"]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run a step again until a condition holds: `delay` seconds apart, `limit` times at most."""

    until: str
    delay: float = 0.0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Compensation:
    """The tool that undoes a step when the run fails later."""

    use: str
    on: str | None = None
    with_: Any = field(default_factory=dict)
    retry: Retry | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs go on at once, counted apart for each value of the template `key`."""

    limit: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a tool. Times are in seconds; `with_` is the document's `with`.

    `when` is an expression without its `${}`; `with_` and `for_each` are
    templates, as written. `after` names steps and what they must have done.
    """

    name: str
    use: str
    on: str | None = None
    with_: Any = field(default_factory=dict)
    after: Mapping[str, After] = field(default_factory=dict)
    when: str | None = None
    join: Join = "all"
    for_each: Any = None
    concurrency: int | None = None
    batch: int | None = None
    repeat: Repeat | None = None
    retry: Retry | None = None
    timeout: float | None = None
    cache: CacheRule | None = None
    on_error: OnError = "fail"
    compensate: Compensation | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    ui: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps, what goes in and what comes out.

    `input` gives each name its JSON Schema (2020-12); a name with no `default`
    is required. `connections` gives each slot its kind. `document` is the plain
    JSON value that all this was read from, unknown fields included; `source` is
    the text, where there was one.
    """

    name: str
    version: str = "0.0.0"
    title: str = ""
    description: str = ""
    input: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    connections: Mapping[str, str] = field(default_factory=dict)
    vars: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)
    output: Any = None
    on_failure: str | None = None
    timeout: float | None = None
    concurrency: Concurrency | None = None
    priority: int | None = None
    tests: tuple[Any, ...] = ()
    note: str = ""
    ui: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def positions(self) -> Mapping[str, tuple[int, int]]:
        """The (line, column), from 1, of each value by JSON Pointer; empty without a text."""
        return self.source.positions if self.source else {}

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the whole input: an object with the names of `input`."""
        return {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in self.input.items()},
            "required": [name for name, schema in self.input.items() if "default" not in schema],
            "additionalProperties": False,
        }

    @property
    def defaults(self) -> dict[str, Any]:
        """The values of the input that need not be given."""
        return {
            name: schema["default"] for name, schema in self.input.items() if "default" in schema
        }
