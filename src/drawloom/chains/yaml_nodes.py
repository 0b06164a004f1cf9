"""Where each part of a YAML text begins and ends, for edits that touch nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True, eq=False)
class Node:
    """A scalar, mapping, sequence or alias. `end` is where its last character is written.

    The keys of a mapping stand in `keys`, beside their values in `items`.
    """

    kind: Literal["scalar", "mapping", "sequence", "alias"]
    start: int
    end: int
    flow: bool = False
    style: str = ""
    keys: list[Node] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def child(self, part: str) -> int | None:
        """The index in `items` that a part of a JSON Pointer names."""
        if self.kind == "mapping":
            return self.names.index(part) if part in self.names else None
        known = self.kind == "sequence" and part.isdecimal() and int(part) < len(self.items)
        return int(part) if known else None


def read_nodes(text: str) -> Node | None:
    """The root node of a text that `read_yaml` has taken; None where there is none."""
    root: list[Node] = []
    open_nodes: list[Node] = []
    names: list[str | None] = []
    for event in _events(text):
        kind = type(event).__name__
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            _close(open_nodes.pop(), event)
            names.pop()
            continue
        node = _node(kind, event, text)
        if node is None:
            continue
        _attach(node, event, open_nodes, names, root)
        _settle(node, open_nodes, text)
        if node.kind in ("mapping", "sequence"):
            open_nodes.append(node)
            names.append(None)
    return root[0] if root else None


def _attach(
    node: Node, event: Any, above: list[Node], names: list[str | None], root: list[Node]
) -> None:
    if not above:
        root.append(node)
    elif above[-1].kind == "mapping" and names[-1] is None:
        above[-1].keys.append(node)
        above[-1].names.append(event.value)
        names[-1] = event.value
    else:
        above[-1].items.append(node)
        names[-1] = None


def _settle(node: Node, above: list[Node], text: str) -> None:
    """Put an empty value right after its colon or dash: the parser says where the next thing is."""
    if node.kind != "scalar" or node.start < node.end or not above or above[-1].flow:
        return
    owner = above[-1]
    if owner.kind == "sequence":
        node.start = node.end = text.rindex("-", 0, node.start + 1) + 1
    elif owner.items and owner.items[-1] is node:
        node.start = node.end = text.index(":", owner.keys[-1].end) + 1


def _node(kind: str, event: Any, text: str) -> Node | None:
    start = event.start_mark.index
    match kind:
        case "ScalarEvent":
            end = event.end_mark.index
            if event.style in ("|", ">"):
                end = start + len(text[start:end].rstrip())
            return Node("scalar", start, end, style=event.style or "")
        case "AliasEvent":
            return Node("alias", start, event.end_mark.index)
        case "MappingStartEvent" | "SequenceStartEvent":
            name: Any = "mapping" if kind.startswith("Mapping") else "sequence"
            return Node(name, start, start, flow=bool(event.flow_style))
    return None


def _close(node: Node, event: Any) -> None:
    if node.flow:
        node.end = event.end_mark.index
    elif node.items:
        # The parser ends a block where the next thing begins, comments and all.
        node.end = max(node.items[-1].end, node.keys[-1].end if node.keys else 0)


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return events
