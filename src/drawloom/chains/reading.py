"""Build plain data from a stream of parts, within limits, remembering where each part stood.

Both readers (YAML and JSON) feed this; nothing here recurses, so that no depth
of nesting can exhaust the stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drawloom.chains.findings import MOST_FINDINGS, Finding, enough, escape
from drawloom.chains.source import Source
from drawloom.errors import ChainInvalid

LARGEST_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How much text is read: bytes, nesting, and values (after aliases are expanded)."""

    bytes: int = 1024 * 1024
    depth: int = 64
    nodes: int = 100_000


@dataclass(frozen=True, slots=True)
class Anchored:
    """What an anchor stands for: its value, how many values it holds and how deep they go."""

    value: Any
    nodes: int
    height: int


class _Open:
    """A mapping or sequence that is being read."""

    __slots__ = ("anchor", "height", "key", "nodes_before", "pointer", "value")

    def __init__(self, value: Any, pointer: str, anchor: str | None, nodes_before: int) -> None:
        self.value = value
        self.pointer = pointer
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.height = 0
        self.key: str | None = None


class Assembly:
    """Takes values and collections as they come; `root` is the document in the end.

    What is wrong is gathered in `findings`; what would cost too much to read on
    raises `ChainInvalid` at once.
    """

    def __init__(self, text: str, file: str | None, limits: Limits) -> None:
        self.positions: dict[str, tuple[int, int]] = {}
        self.keys: dict[str, tuple[int, int]] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.source = Source(text, file, self.positions, self.keys, self.spans)
        self.findings: list[Finding] = []
        self.root: Any = None
        self._limits = limits
        self._open: list[_Open] = []
        self._nodes = 0
        self._anchors: dict[str, Anchored | None] = {}

    def place(self, offset: int) -> tuple[int, int]:
        """The (line, column), from 1, of the character at *offset*."""
        return self.source.line_column(offset)

    @property
    def wants_key(self) -> bool:
        """Whether the next value names an entry of the mapping that is open."""
        return bool(self._open) and isinstance(self._open[-1].value, dict) and (
            self._open[-1].key is None
        )  # fmt: skip

    def key(self, name: str, place: tuple[int, int]) -> None:
        """The name of the next entry."""
        into = self._open[-1]
        pointer = f"{into.pointer}/{escape(name)}"
        if name in into.value:
            first = self.keys[pointer]
            self.wrong(
                "duplicate-key",
                f"the key {name!r} is here twice; the first one is at line {first[0]}, "
                f"column {first[1]}",
                place,
                "remove one of them",
                pointer,
            )
        else:
            self.keys[pointer] = place
        into.key = name

    def scalar(
        self, value: Any, place: tuple[int, int], span: tuple[int, int], anchor: str | None = None
    ) -> None:
        """One text, number, boolean or null."""
        self._count(1, place)
        pointer = self._next_pointer()
        self.positions[pointer] = place
        if isinstance(value, str):
            self.spans[pointer] = span
        if anchor is not None:
            self._anchors[anchor] = Anchored(value, 1, 0)
        self._put(value)

    def start(self, value: Any, place: tuple[int, int], anchor: str | None = None) -> None:
        """Open a mapping or sequence: *value* is an empty dict or list."""
        self._count(1, place)
        if len(self._open) >= self._limits.depth:
            self._too_deep(place)
        pointer = self._next_pointer()
        self.positions[pointer] = place
        if anchor is not None:
            self._anchors[anchor] = None
        self._open.append(_Open(value, pointer, anchor, self._nodes - 1))

    def end(self) -> None:
        """Close the innermost mapping or sequence."""
        done = self._open.pop()
        if done.anchor is not None:
            nodes = self._nodes - done.nodes_before
            self._anchors[done.anchor] = Anchored(done.value, nodes, done.height + 1)
        self._put(done.value)
        if self._open:
            self._open[-1].height = max(self._open[-1].height, done.height + 1)

    def alias(self, name: str, place: tuple[int, int]) -> None:
        """Repeat what the anchor *name* stands for."""
        found = self._anchors.get(name)
        if found is None:
            why = "stands inside itself" if name in self._anchors else "is not defined above"
            raise self.refusal("bad-alias", f"the alias *{name} {why}", place)
        self._count(found.nodes, place)
        if len(self._open) + found.height > self._limits.depth:
            self._too_deep(place)
        self.positions[self._next_pointer()] = place
        self._put(_copied(found.value))
        if self._open:
            self._open[-1].height = max(self._open[-1].height, found.height)

    def wrong(
        self, code: str, message: str, at: Any, suggestion: str = "", pointer: str = ""
    ) -> None:
        """Note what is wrong, and read on."""
        found = self.source.finding(code, message, at, suggestion=suggestion, pointer=pointer)
        self.findings.append(found)
        if len(self.findings) == MOST_FINDINGS:
            self.findings.append(enough(found))
            raise refused(self.findings)

    def refusal(self, code: str, message: str, at: Any, suggestion: str = "") -> ChainInvalid:
        """The error that ends the reading, with all that was found before."""
        self.wrong(code, message, at, suggestion)
        return refused(self.findings)

    def _next_pointer(self) -> str:
        if not self._open:
            return ""
        into = self._open[-1]
        part = len(into.value) if isinstance(into.value, list) else escape(into.key or "")
        return f"{into.pointer}/{part}"

    def _put(self, value: Any) -> None:
        if not self._open:
            self.root = value
            return
        into = self._open[-1]
        if isinstance(into.value, list):
            into.value.append(value)
        elif into.key is not None:
            into.value.setdefault(into.key, value)
            into.key = None

    def _count(self, nodes: int, place: tuple[int, int]) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            message = f"the document holds more than {self._limits.nodes:,} values"
            more = "split the chain, or read the data from a file in a step"
            raise self.refusal("too-many-values", message, place, more)

    def _too_deep(self, place: tuple[int, int]) -> None:
        message = f"the document is nested more than {self._limits.depth} levels deep"
        raise self.refusal("too-deep", message, place, "flatten it")


def refused(findings: list[Finding]) -> ChainInvalid:
    """The error for *findings*, its message the first of them and how many there are more."""
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return ChainInvalid(f"{findings[0]}{more}", tuple(findings))


def _copied(value: Any) -> Any:
    """A copy of *value*: two places of a document never share one object."""
    if not isinstance(value, dict | list):
        return value
    root: list[Any] = [value]
    todo: list[Any] = [root]
    while todo:
        into = todo.pop()
        for key, inner in list(into.items() if isinstance(into, dict) else enumerate(into)):
            if isinstance(inner, dict | list):
                into[key] = inner.copy()
                todo.append(into[key])
    return root[0]


def integer_fits(value: int) -> bool:
    """Whether an integer is exact in every JSON implementation (RFC 7493, section 2.2)."""
    return -LARGEST_INTEGER <= value <= LARGEST_INTEGER


def paired(text: str) -> str | None:
    """*text* with surrogate pairs joined; None where a surrogate stands alone (RFC 7493, 2.1)."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def decoded(text: str | bytes, file: str | None, limits: Limits) -> str:
    """*text* as characters, without a byte order mark; raises `ChainInvalid`."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > limits.bytes:
        message = f"the document has more than {limits.bytes:,} bytes, the most that is read"
        more = "keep data in files and blobs, and read it in a step"
        raise refused(
            [Finding("too-large", message, file=file, line=1, column=1, suggestion=more)]
        )
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        good = Source(text[: exc.start].decode("utf-8"), file)
        message = f"byte {exc.start} is not UTF-8 (0x{text[exc.start]:02x})"
        more = "save the file as UTF-8"
        raise refused(
            [good.finding("not-utf-8", message, exc.start and len(good.text), suggestion=more)]
        ) from None
