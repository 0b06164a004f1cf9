"""`drawloom cache`: the answers that are kept, and how to forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from drawloom.cli.options import AsJson, ProjectFolder, StateFolder, project_of

if TYPE_CHECKING:
    from pathlib import Path

    from drawloom.policies.cache import Entry

cache = App(name="cache", help="Look at the answers that are kept, and forget them.")

Tool = Annotated[str | None, Parameter(help="Only the answers of this tool.")]
Tag = Annotated[str | None, Parameter(help="Only answers with this tag.")]


@cache.command(name="list")
def list_(
    *,
    tool: Tool = None,
    tag: Tag = None,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """List the answers that are kept, the longest kept last.

    With --json: {answers: [{key, tool, bytes, fresh_until, stale_until, tags}]};
    instants are RFC 3339 in UTC.

    For example:
      drawloom cache list --tool postgresql.query
    """
    from drawloom.cli.terminal import instant as local
    from drawloom.cli.terminal import print_json, print_table, say, size
    from drawloom.project.shapes import instant

    found = _entries(state or project_of(project).state, tool, tag)
    if json:
        shown = [
            {
                "key": e.key, "tool": e.tool, "bytes": len(e.answer), "tags": list(e.tags),
                "fresh_until": instant(round(e.fresh_until * 1e6)),
                "stale_until": instant(round(e.stale_until * 1e6)),
            }
            for e in found
        ]  # fmt: skip
        print_json({"answers": shown})
    elif not found:
        say("No answers are kept here; a step with `cache` keeps some.")
    else:
        rows = [
            (e.key, e.tool, size(len(e.answer)), local(round(e.fresh_until * 1e6)), *e.tags[:1])
            for e in found
        ]
        headings = ("KEY", "TOOL", "SIZE", "FRESH UNTIL", "TAG")
        print_table(headings, [(*row, "")[:5] for row in rows])
    return 0


@cache.command
def clear(
    *,
    key: Annotated[str | None, Parameter(help="Only this answer.")] = None,
    tool: Tool = None,
    tag: Tag = None,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Forget answers: all of them, or those that meet all that is given.

    If a process has the state directory, that one is asked.

    For example:
      drawloom cache clear --tag prices
    """
    from drawloom.cli.terminal import counted, say
    from drawloom.drivers.embedded import owner_of
    from drawloom.drivers.embedded.requests import ask
    from drawloom.runtime.caching import Answers

    folder = state or project_of(project).state
    count = len([e for e in _entries(folder, tool, tag) if key in (None, e.key)])
    if owner_of(folder) is not None:
        ask(folder, {"do": "forget", "key": key, "tool": tool, "tag": tag})
    elif folder.exists():
        answers: Answers[None] = Answers({}, folder)
        count = answers.clear(key=key, tool=tool, tag=tag)
        answers.close()
    say(f"Forgot {counted(count, 'answer')}.")
    return 0


def _entries(state: Path, tool: str | None, tag: str | None) -> list[Entry]:
    import time

    from drawloom.runtime.caching import FILE, opened

    if not (state / FILE).exists():
        return []
    file = opened(state)
    try:
        kept = file.read(time.time())
    finally:
        file.close()
    return [e for e in kept if tool in (None, e.tool) and (tag is None or tag in e.tags)]
