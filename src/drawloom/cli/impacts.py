"""Work out what a change reaches, over the chains of a project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawloom.chains import Chain
from drawloom.chains.findings import did_you_mean
from drawloom.chains.impact import (
    Change,
    ChangedTool,
    Impact,
    changed_tool,
    impact_of,
    renamed,
    with_schemas,
    without,
)
from drawloom.chains.impact_columns import Column, column_impact
from drawloom.chains.impact_versions import SavedTools, ToolChange, impact_between, saved
from drawloom.cli import codes
from drawloom.cli.options import project_of
from drawloom.cli.terminal import console, counted, print_json, say, shown
from drawloom.dataflow.values import LARGEST_TEXT, read_json
from drawloom.errors import ChainInvalid, ConnectionUnusable, ValueInvalid
from drawloom.project import FILE, Project
from drawloom.project.project import read_bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """The change, as the command line has it."""

    tool: str | None
    schema: Path | None
    drop_output: tuple[str, ...]
    rename_output: tuple[str, ...]
    drop_input: tuple[str, ...]
    rename_input: tuple[str, ...]
    columns: tuple[str, ...]
    against: Path | None

    def changes(self) -> list[Change]:
        """The changes of the tool. Raises `ValueInvalid` for one that makes no sense."""
        made = [] if self.schema is None else [_schemas(self.schema)]
        made += [without("output", field) for field in self.drop_output]
        made += [without("input", field) for field in self.drop_input]
        made += [renamed("output", *_pair(text)) for text in self.rename_output]
        return made + [renamed("input", *_pair(text)) for text in self.rename_input]


def _schemas(path: Path) -> Change:
    try:
        return with_schemas(read_json(read_bytes(path), source=str(path)))
    except ValueInvalid as exc:
        raise ValueInvalid(f"--schema {path}: {exc}") from None


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise ValueInvalid(f"{text}: write OLD=NEW")
    return old, new


def show_impact(
    files: tuple[Path, ...], wanted: Wanted, as_json: bool, folder: Path | None
) -> int:
    """Show what the change reaches; the exit code."""
    changes, columns = wanted.changes(), [Column.parse(text) for text in wanted.columns]
    _refuse(wanted, changes)
    before = None if wanted.against is None else _saved(wanted.against)
    found: list[Impact] = []
    projects: dict[Path, Project] = {}
    chains = 0
    for project, chain in _chains(files, folder):
        chains += 1
        found += _impacts(project, chain, wanted.tool, changes, columns)
        if before is not None:
            found += impact_between(chain, before, project.catalogue, project.find_chain)
            projects[project.folder] = project
    changed = None if before is None else _changes(before, projects.values())
    _show(found, chains, changed, as_json)
    return codes.FAILED if any(one.certainty == "breaks" for one in found) else codes.OK


def _refuse(wanted: Wanted, changes: list[Change]) -> None:
    if not (wanted.columns or wanted.against or (wanted.tool and changes)):
        raise ValueInvalid(
            "say what changes: --tool NAME with --schema, --drop-output, --rename-output, "
            "--drop-input or --rename-input; --column TABLE.COLUMN; or --against FILE"
        )
    if changes and not wanted.tool:
        raise ValueInvalid("say which tool changes, with --tool NAME")
    if wanted.tool and wanted.against:
        raise ValueInvalid("--against compares all tools; leave --tool out")


def _changes(before: SavedTools, projects: Iterable[Project]) -> list[ToolChange]:
    every = (before.changes(project.catalogue.tools()) for project in projects)
    return list({one.tool: one for changes in every for one in changes}.values())


def _saved(against: Path) -> SavedTools:
    """The tools of a saved file, or of a project's folder (whose own tools are then loaded)."""
    try:
        if not against.is_dir():
            return SavedTools(read_json(read_bytes(against, LARGEST_TEXT), source=str(against)))
        if not (against / FILE).is_file():
            raise ValueInvalid(f"there is no {FILE} in it, so it is no project")
        return SavedTools(saved(Project.find(against).catalogue.tools()))
    except ValueInvalid as exc:
        raise ValueInvalid(
            f"--against {against}: {exc}; give what `drawloom tools schemas` wrote, or a project's "
            "folder (`git worktree add FOLDER REF` makes one of another version)"
        ) from None


def _chains(files: tuple[Path, ...], folder: Path | None) -> Iterator[tuple[Project, Chain]]:
    if files:
        for file in files:
            project = project_of(folder, file)
            yield project, project.load_chain(file)
        return
    project = project_of(folder)
    for paths in project.find_chain.files().values():
        for path in paths:
            try:
                yield project, project.load_chain(path)
            except ChainInvalid as exc:
                say(f"drawloom: {path} is passed over: {exc}")


def _impacts(
    project: Project, chain: Chain, tool: str | None, changes: list[Change], columns: list[Column]
) -> Iterator[Impact]:
    if tool and changes:
        changed = _changed(project, tool, changes)
        yield from impact_of(chain, project.catalogue, changed, project.find_chain)
    for column in columns:
        yield from column_impact(chain, column, _bound(project, chain))


def _changed(project: Project, name: str, changes: list[Change]) -> ChangedTool:
    try:
        return changed_tool(project.catalogue.find(name), changes)
    except KeyError as exc:
        near = did_you_mean(name, getattr(exc, "suggestions", ()))
        more = near or "see `drawloom tools list`"
        raise ValueInvalid(f"there is no tool {name!r}; {more}") from None


def _bound(project: Project, chain: Chain) -> dict[str, str]:
    try:
        return dict(project.bindings(chain).slots)
    except ConnectionUnusable:
        return {}  # a chain may be looked at where it could not run


def _show(
    found: list[Impact], chains: int, changed: list[ToolChange] | None, as_json: bool
) -> None:
    breaks = sum(one.certainty == "breaks" for one in found)
    if as_json:
        more = {} if changed is None else {"changes": [_change(one) for one in changed]}
        print_json(
            {
                **more,
                "chains": chains,
                "breaks": breaks,
                "may": len(found) - breaks,
                "impacts": [_as_json(one) for one in found],
            }
        )
        return
    for one in changed or ():
        console().print(f"{shown(one.tool)}: {shown(', '.join(one.what))}", soft_wrap=True)
    _print(found)
    looked = counted(chains, "chain")
    if not found:
        console().print(f"nothing breaks in {looked}")
    else:
        console().print(f"{breaks} break, {len(found) - breaks} may, in {looked}")


def _change(one: ToolChange) -> dict[str, Any]:
    return {"tool": one.tool, "what": list(one.what)}


def _print(found: list[Impact]) -> None:
    from rich.text import Text

    for one in found:
        place = f"{one.finding.place}: " if one.finding is not None else ""
        where = one.step or "output"
        style = "red" if one.certainty == "breaks" else "yellow"
        line = Text.assemble(
            shown(place), (one.certainty, style), f" {shown(one.chain)}.{shown(where)}: ",
            shown(one.message),
        )  # fmt: skip
        console().print(line, soft_wrap=True)


def _as_json(one: Impact) -> dict[str, Any]:
    place = {} if one.finding is None else one.finding.as_json()
    return {
        **{n: v for n, v in place.items() if n != "severity"},
        "chain": one.chain,
        "step": one.step,
        "certainty": one.certainty,
        "message": one.message,
    }
