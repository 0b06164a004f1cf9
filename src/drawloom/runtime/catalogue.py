"""Find tools and connectors: by folder, by entry point, or as given; import them when asked for.

A folder of `drawloom.connectors` with a `connector.toml` is a connector. Others
come through the entry-point group `drawloom.connectors`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawloom import connectors
from drawloom.runtime.code_steps import barred
from drawloom.sdk import Connector, Tool

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "drawloom.connectors"
_PACKAGE = re.compile(r"[^A-Za-z0-9._-]")


class UnknownTool(KeyError):
    """There is no tool of that name; `suggestions` are the nearest that there are."""

    def __init__(self, name: str, suggestions: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.suggestions = suggestions

    def __str__(self) -> str:
        near = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"there is no tool {self.name!r}{near}"


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a connector is, not yet imported."""

    name: str
    module: str = ""
    folder: Path | None = None
    entry: EntryPoint | None = None

    def load(self) -> Connector:
        loaded = import_module(self.module).connector if self.entry is None else self.entry.load()
        if not isinstance(loaded, Connector):
            raise TypeError(f"{self.name}: {GROUP} must name a drawloom.sdk.Connector")
        return loaded


class Catalogue:
    """All tools that can be used here. Cheap to make; imports only what is asked for.

    Without *code_steps* the tools that run an author's code refuse to; *sandbox* names
    the one that they run it in, "auto" the best that there is.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        extra: Iterable[Connector] = (),
        *,
        code_steps: bool = False,
        sandbox: str = "auto",
    ) -> None:
        self.sandbox = sandbox
        self._code_steps = code_steps
        self._barred: dict[str, Tool] = {}
        self._own = {tool.name: tool for tool in tools}
        self._loaded = {connector.name: connector for connector in extra}
        self._given = frozenset(self._loaded)

    @cached_property
    def _packaged(self) -> Mapping[str, _Found]:
        return {item.name: item for item in _packaged()}

    @cached_property
    def _found(self) -> Mapping[str, _Found]:
        from importlib.metadata import entry_points  # slow to load, and seldom needed

        found = dict(self._packaged)
        for entry in entry_points(group=GROUP):
            found.setdefault(entry.name, _Found(entry.name, entry=entry))
        return found

    def connectors(self) -> tuple[str, ...]:
        """The names of all connectors, sorted."""
        return tuple(sorted({*self._found, *self._loaded}))

    def connector(self, name: str) -> Connector:
        """The connector of a name; `UnknownTool` where there is none."""
        if name not in self._loaded:
            found = self._packaged.get(name) or self._found.get(name)
            if found is None:
                raise UnknownTool(name, _near(name, self.connectors()))
            self._loaded[name] = found.load()
        return self._loaded[name]

    def about(self, name: str) -> Mapping[str, Any]:
        """What `connector.toml` says of a connector: title, category, icon, requires."""
        found = self._packaged.get(name) or self._found.get(name)
        if found is None or found.folder is None:
            return {"title": name}
        return tomllib.loads((found.folder / "connector.toml").read_text(encoding="utf-8"))

    def lacking(self, name: str) -> tuple[str, ...]:
        """What a connector of ours requires and is not installed; nothing is imported."""
        found = self._packaged.get(name)
        if found is None or name in self._given:
            return ()
        return tuple(need for need in self.about(name).get("requires", ()) if not installed(need))

    def find(self, name: str) -> Tool:
        """The tool of a name; `UnknownTool` where there is none."""
        if name in self._own:
            return self._own[name]
        owner = name.partition(".")[0]
        if owner in self._loaded or owner in self._packaged or owner in self._found:
            tools = self.connector(owner).tools
            if name in tools:
                return self._allowed(tools[name])
            raise UnknownTool(name, _near(name, tools))
        raise UnknownTool(name, _near(name, [tool.name for tool in self.tools()]))

    def _allowed(self, tool: Tool) -> Tool:
        if tool.isolation != "sandbox" or self._code_steps:
            return tool
        if tool.name not in self._barred:
            self._barred[tool.name] = barred(tool)
        return self._barred[tool.name]

    def tools(self) -> Iterator[Tool]:
        """Every tool, by name; this imports every connector (never a vendor's library)."""
        every = dict(self._own)
        for name in self.connectors():
            every.update(self.connector(name).tools)
        yield from (every[name] for name in sorted(every))


def installed(requirement: str) -> bool:
    """Whether the package that a requirement names is there."""
    from importlib.metadata import PackageNotFoundError, version  # slow to load

    try:
        version(_PACKAGE.split(requirement, maxsplit=1)[0])
    except PackageNotFoundError:
        return False
    return True


def how_to_install(name: str, about: Mapping[str, Any]) -> str:
    """The command that brings what a connector requires."""
    return f"pip install 'drawloom[{about.get('extra', name)}]'"


def _packaged() -> Iterator[_Found]:
    for root in map(Path, connectors.__path__):
        for about in sorted(root.rglob("connector.toml")):
            inside = about.parent.relative_to(root).parts
            module = ".".join((connectors.__name__, *inside))
            yield _Found(about.parent.name, module, about.parent)


def _near(name: str, known: Iterable[str]) -> tuple[str, ...]:
    known = list(known)
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    tail = name.rpartition(".")[2]
    same = [other for other in known if other.rpartition(".")[2] == tail]
    return tuple(dict.fromkeys([*close, *same]))[:3]
