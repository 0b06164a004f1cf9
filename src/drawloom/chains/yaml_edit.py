"""Edit a YAML text and keep everything else: comments, key order, quotes, unknown fields.

An edit replaces only the characters of the value that it means; every other
line stays byte for byte. After each one the text is read again, and must give
exactly the data that was asked for.
"""

from __future__ import annotations

import copy
from typing import Any

from drawloom.chains.findings import escape
from drawloom.chains.plain_edits import GONE, edited, find, parts_of, same, smallest_edits
from drawloom.chains.reading import Limits
from drawloom.chains.yaml_nodes import Node, read_nodes
from drawloom.chains.yaml_source import read_yaml
from drawloom.chains.yaml_writing import block, entry, fits_a_line, flow, scalar
from drawloom.errors import ChainInvalid, ValueInvalid


class YamlDocument:
    """A YAML text that can be edited. Places are JSON Pointers (RFC 6901)."""

    def __init__(self, text: str, data: Any, limits: Limits) -> None:
        self._text = text
        self._data = data
        self._limits = limits

    @classmethod
    def parse(cls, text: str, *, limits: Limits | None = None) -> YamlDocument:
        """Read *text*; raises `ChainInvalid` as the loader does."""
        limits = limits or Limits()
        data, _ = read_yaml(text, limits=limits)
        return cls(text, data, limits)

    @property
    def text(self) -> str:
        """The text as it now is; without an edit, the very text that was parsed."""
        return self._text

    @property
    def data(self) -> Any:
        """A copy of the plain data."""
        return copy.deepcopy(self._data)

    def set(self, pointer: str, value: Any) -> None:
        """Make the value at *pointer* equal to *value*; a new key goes to the end of its mapping.

        Of a mapping or list only what differs is touched. Raises `ValueInvalid`
        where there is no such place.
        """
        for at, wanted in smallest_edits(pointer, find(self._data, pointer), value):
            if wanted is GONE:
                self.remove(at)
            elif find(self._data, at) is GONE:
                self.insert(at, wanted)
            else:
                self._apply(at, wanted, "set")

    def remove(self, pointer: str) -> None:
        """Remove the entry or item at *pointer*. Raises `ValueInvalid` where there is none."""
        if not pointer or find(self._data, pointer) is GONE:
            raise ValueInvalid("there is nothing to remove", pointer)
        self._apply(pointer, GONE, "remove")

    def insert(self, pointer: str, value: Any) -> None:
        """Add a key to a mapping, or an item to a list before the one at *pointer* (`-`: last).

        Raises `ValueInvalid` where the key is there already, or its owner is not.
        """
        owner = find(self._data, pointer.rpartition("/")[0]) if pointer else GONE
        if isinstance(owner, dict) and find(self._data, pointer) is not GONE:
            raise ValueInvalid("this key is there already; use set", pointer)
        if not isinstance(owner, dict | list):
            raise ValueInvalid("there is no mapping or list to add to", pointer)
        if isinstance(owner, list) and pointer.endswith("/-"):
            pointer = f"{pointer[:-1]}{len(owner)}"
        self._apply(pointer, value, "insert")

    def _apply(self, pointer: str, value: Any, what: str) -> None:
        expected = edited(self.data, pointer, value, what)
        splice = _Splice(self._text, pointer, value)
        ways = {"set": splice.set, "insert": splice.insert, "remove": splice.remove}
        for way in (ways[what], lambda: splice.owner_set(expected)):
            try:
                text = way()
                data, _ = read_yaml(text, limits=self._limits)
            except (ChainInvalid, _NotThisWay):
                continue
            if same(data, expected):
                self._text, self._data = text, data
                return
        raise ValueInvalid("this place cannot be edited (it is part of an alias, say)", pointer)


class _NotThisWay(Exception):
    """The text here is written in a way that this kind of edit does not know."""


class _Splice:
    """One edit of a text, as a replacement of some of its characters."""

    def __init__(self, text: str, pointer: str, value: Any) -> None:
        self.text = text
        self.value = value
        self.newline = "\r\n" if "\r\n" in text else "\n"
        root = read_nodes(text)
        if root is None:
            raise ValueInvalid("the document is empty", pointer)
        self.parts = parts_of(pointer)
        self.way = [root]
        for part in self.parts:
            index = self.way[-1].child(part)
            if index is None:
                break
            self.way.append(self.way[-1].items[index])
        self.step = _indentation(root, text)

    # -- set

    def set(self) -> str:
        if len(self.way) <= len(self.parts):
            raise _NotThisWay
        node = self.way[-1]
        if len(self.way) == 1:
            new = self._joined(block(self.value, 0, self.step))[len(self.newline) :]
            return self.text[: node.start] + new + self.text[node.end :]
        parent = self.way[-2]
        if parent.flow or (fits_a_line(self.value) and (node.flow or node.kind != "mapping")
                           and not self._is_block(node)):  # fmt: skip
            return self._inline(node)
        return self._rewritten_entry(parent, node)

    def _is_block(self, node: Node) -> bool:
        return node.style in ("|", ">") or (node.kind in ("mapping", "sequence") and not node.flow)

    def _inline(self, node: Node) -> str:
        style = node.style if node.style in ("'", '"') else ""
        text = scalar(self.value, style) if isinstance(self.value, str) else flow(self.value)
        space = "" if self.text[node.start - 1 : node.start].isspace() else " "
        if self.way[-2].flow and node.end > node.start:
            space = ""
        return self.text[: node.start] + space + text + self.text[node.end :]

    def _rewritten_entry(self, parent: Node, node: Node) -> str:
        """The value anew, below its key, and what stood on the key's line kept."""
        if parent.kind == "sequence":
            dash = self._dash(node)
            lines = block([self.value], self._column(dash), self.step)
            new = lines[0].lstrip() + self._joined(lines[1:])
            return self.text[:dash] + new + self.text[node.end :]
        key = parent.keys[parent.items.index(node)]
        colon = self.text.index(":", key.end) + 1
        lines = entry("", self.value, self._column(key.start), self.step)
        below = self._line_end(colon)
        if node.start > below:  # a block: keep the comment on the key's line
            rest = self.text[colon:below]
            tail = self.text[max(self._line_end(node.end), below) :]
        else:
            rest = self._after(node, colon)
            tail = self.text[self._line_end(node.end) :]
        return self.text[:colon] + lines[0] + rest + self._joined(lines[1:]) + tail

    def _after(self, node: Node, colon: int) -> str:
        end = self._line_end(colon)
        if node.style in ("|", ">") or node.end > end:
            return ""
        return self.text[node.end : end]

    # -- insert

    def insert(self) -> str:
        owner = self.way[-1] if len(self.way) == len(self.parts) else self.way[-2]
        part = self.parts[-1]
        if owner.flow:
            if not owner.items and not fits_a_line(self.value):
                raise _NotThisWay
            return self._into_flow(owner, part)
        if owner.kind not in ("mapping", "sequence"):
            raise _NotThisWay
        at, column = self._line_end(owner.end), self._column(owner.start)
        if owner.kind == "mapping":
            lines = block({part: self.value}, column, self.step)
        else:
            lines = block([self.value], column, self.step)
            if int(part) < len(owner.items):
                dash = self._dash(owner.items[int(part)])
                start = self.text.rfind("\n", 0, dash) + 1
                if self.text[start:dash].strip():
                    raise _NotThisWay
                return self.text[:start] + self._joined(lines)[len(self.newline) :] + (
                    self.newline + self.text[start:]
                )  # fmt: skip
        return self.text[:at] + self._joined(lines) + self.text[at:]

    def _into_flow(self, owner: Node, part: str) -> str:
        new = flow(self.value)
        if owner.kind == "mapping":
            new = f"{scalar(part)}: {new}"
        index = int(part) if owner.kind == "sequence" else len(owner.items)
        if not owner.items:
            return self.text[: owner.start + 1] + new + self.text[owner.end - 1 :]
        if index < len(owner.items):
            at = owner.items[index].start
            return f"{self.text[:at]}{new}, {self.text[at:]}"
        at = owner.items[-1].end
        return f"{self.text[:at]}, {new}{self.text[at:]}"

    # -- remove

    def remove(self) -> str:
        owner, node = self.way[-2], self.way[-1]
        index = next(n for n, item in enumerate(owner.items) if item is node)
        start = owner.keys[index].start if owner.keys else node.start
        if owner.flow:
            return self._out_of_flow(owner, index, start)
        if len(owner.items) == 1:
            raise _NotThisWay
        first = self._dash(node) if owner.kind == "sequence" else start
        line = self.text.rfind("\n", 0, first) + 1
        if self.text[line:first].strip():
            raise _NotThisWay
        end = max(node.end, owner.keys[index].end if owner.keys else 0)
        after = self._line_end(end)
        return self.text[:line] + self.text[after + (after < len(self.text)) :]

    def _out_of_flow(self, owner: Node, index: int, start: int) -> str:
        if index + 1 < len(owner.items):
            follower = owner.keys[index + 1] if owner.keys else owner.items[index + 1]
            return self.text[:start] + self.text[follower.start :]
        before = owner.items[index - 1].end if index else owner.start + 1
        return self.text[:before] + self.text[max(owner.items[index].end, start) :]

    # -- when nothing finer will do

    def owner_set(self, expected: Any) -> str:
        """Write the owner of the place anew: the comments in it are lost, but no others."""
        if not self.parts or len(self.way) < len(self.parts):
            raise _NotThisWay
        pointer = "".join(f"/{escape(part)}" for part in self.parts[:-1])
        return _Splice(self.text, pointer, find(expected, pointer)).set()

    def _dash(self, node: Node) -> int:
        return self.text.rindex("-", 0, node.start)

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > at and self.text[end - 1] == "\r" else end

    def _column(self, at: int) -> int:
        return at - self.text.rfind("\n", 0, at) - 1

    def _joined(self, lines: list[str]) -> str:
        return "".join(self.newline + line for line in lines)


def _indentation(root: Node, text: str) -> int:
    """How many spaces a level of nesting has in this text."""
    todo = [root]
    while todo:
        node = todo.pop()
        if node.kind == "mapping" and not node.flow:
            for inner in node.items:
                if inner.kind == "mapping" and not inner.flow:
                    own = node.start - text.rfind("\n", 0, node.start)
                    return max(inner.start - text.rfind("\n", 0, inner.start) - own, 1)
        todo += reversed(node.items)
    return 2
