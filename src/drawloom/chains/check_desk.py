"""What a check works on: the chain, its tools, and the findings so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from drawloom.chains.document import Chain
from drawloom.chains.findings import MOST_FINDINGS, Finding, Severity, enough, pointer_of
from drawloom.chains.loading import NO_TOOL
from drawloom.chains.narrowing import Described, item_of, output_of
from drawloom.chains.rules import RULES
from drawloom.chains.subchains import FindChain
from drawloom.dataflow.compatibility import SchemaCompat
from drawloom.errors import Failure, ToolError
from drawloom.policies import Effect


class CheckedTool(Protocol):
    """What a check needs to know of a tool."""

    @property
    def name(self) -> str: ...
    @property
    def effect(self) -> Effect: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def input_schema(self) -> Mapping[str, Any]: ...
    @property
    def output_schema(self) -> Mapping[str, Any]: ...


class ToolFinder(Protocol):
    """The tools that are there. `find` raises a `KeyError`, which may carry `suggestions`."""

    def find(self, name: str) -> CheckedTool: ...


@dataclass(frozen=True, slots=True)
class Read:
    """Something that an expression reads: `names` from the scope's root; "" is the chain itself."""

    reader: str
    names: tuple[str, ...]
    path: tuple[str | int, ...]
    offset: int


class Enough(Exception):
    """So much is wrong that the check stops."""


class Desk:
    """One check. *path* is always the way into the document, as keys and indices."""

    def __init__(
        self,
        chain: Chain,
        tools: ToolFinder,
        find_chain: FindChain | None = None,
        described: Described | None = None,
    ) -> None:
        self.chain = chain
        self.find_chain = find_chain
        self.compat = SchemaCompat()
        self.findings: list[Finding] = []
        self.reads: list[Read] = []
        self.undoing: dict[str, CheckedTool] = {}  # what undoes each step
        self._finder = tools
        self._described = described
        self._outputs: dict[str, dict[str, Any]] = {}
        self._reported: set[tuple[Any, ...]] = set()

    @cached_property
    def tools(self) -> dict[str, CheckedTool]:
        """The tool of each step whose tool is known."""
        found: dict[str, CheckedTool] = {}
        for name, step in self.chain.steps.items():
            if step.use == NO_TOOL:
                continue  # another finding says more
            if (tool := self.tool(step.use, ("steps", name, "use"))) is not None:
                found[name] = tool
        return found

    def tool(self, use: str, path: Iterable[str | int]) -> Any:
        """The tool that *path* names; None, and a finding, where there is none."""
        try:
            return self._finder.find(use)
        except KeyError as exc:
            near = tuple(getattr(exc, "suggestions", ()))
            more = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
            self.report(
                "unknown-tool", f"there is no tool {use!r}", path,
                suggestion=more or "see `drawloom tools list`",
            )  # fmt: skip
            return None

    def output_schema(self, step: str) -> dict[str, Any]:
        """What a call of a step with a known tool gives, and a finding where that cannot be."""
        if step not in self._outputs:
            tool, written = self.tools[step], self.chain.steps[step]
            try:
                schema = output_of(tool, written.with_, written.on, self._described)
            except ToolError as exc:
                schema = output_of(tool, written.with_, written.on)
                self._report_refuted(step, exc.failure)
            self._outputs[step] = schema
        return self._outputs[step]

    def item_schema(self, step: str) -> dict[str, Any]:
        """What an item is of the stream that a step gives."""
        tool, written = self.tools[step], self.chain.steps[step]
        try:
            return item_of(tool, written.with_, written.on, self._described)
        except ToolError:  # `output_schema` has reported it
            return item_of(tool, written.with_, written.on)

    def _report_refuted(self, step: str, failure: Failure) -> None:
        way = str((failure.details or {}).get("path", "")).split("/")[1:]
        path = [int(part) if part.isdigit() else part for part in way]
        more = "save the catalogue anew if it is out of date"
        self.report(
            "not-in-catalogue", failure.message, ("steps", step, "with", *path), suggestion=more
        )

    @property
    def find_tool(self) -> Callable[[str], Any]:
        return self._finder.find

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """Of the input as a run sees it: defaults are filled in, so that every name is there."""
        return {**self.chain.input_schema, "required": list(self.chain.input)}

    def report(
        self,
        code: str,
        message: str,
        path: Iterable[str | int],
        *,
        severity: Severity = "error",
        offset: int | None = None,
        key: bool = False,
        suggestion: str = "",
        witness: str = "",
    ) -> None:
        """Note a finding at *path*: at its key, or at character *offset* of its text."""
        assert code in RULES, code
        pointer = pointer_of(path)
        source = self.chain.source
        place: dict[str, Any] = {}
        if source is not None:
            at = source.place(pointer, key=key)
            if offset is not None:
                at = source.within(pointer, offset)
            place = {"file": source.file, "line": at[0], "column": at[1]}
            place["excerpt"] = source.excerpt(at[0])
        seen = (code, message, pointer, place.get("line"), place.get("column"))
        if seen in self._reported:
            return
        self._reported.add(seen)
        if len(self.findings) == MOST_FINDINGS:
            self.findings.append(enough(self.findings[-1]))
            raise Enough
        self.findings.append(
            Finding(
                code, message, severity, pointer=pointer, suggestion=suggestion, witness=witness,
                **place,
            )
        )  # fmt: skip
