"""The commands, each found in the module named after it when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from cyclopts import App, Parameter

_HELP: Final = """\
A workflow studio: typed tools, chains checked before they run, and runs that survive kill -9.

To begin:
  drawloom init my-project        a new project with an example that runs at once
  drawloom check chain.yaml       what would break it, before it runs
  drawloom run chain.yaml -i days=3
  drawloom runs list              what ran, and how it ended

Exit codes: 0 all is well, 1 findings or a run that failed, 2 unusable input,
3 the state directory is owned or unusable, 4 a run waits for somebody,
74 the output cannot be written, 130 interrupted. `--json` gives one JSON document
on stdout with every command, and where something is wrong {error: {kind, message,
findings}}."""

_COMMANDS: Final = {
    "run": "Run a chain, and see how it goes.",
    "check": "Find what is wrong with chains, without running them.",
    "plan": "Say what a run would touch, with nothing done.",
    "test": "Run the tests of chains; nothing outside is touched.",
    "impact": "Find which steps break when a tool or a column changes.",
    "tools": "List, show and call the tools that there are.",
    "runs": "Look at runs; cancel, answer, resolve, repeat or replay them.",
    "triggers": "Print when schedules fire.",
    "serve": "Serve the project over HTTP, for programs and people.",
    "connections": "Add, list, test and change connections, and rotate their secrets.",
    "secrets": "Set, list and remove secrets; rotate the keys of the vault.",
    "cache": "Look at the answers that are kept, and forget them.",
    "schema": "Print the JSON Schema of chains, tools and connections.",
    "doctor": "Check the store, the project and this installation.",
    "init": "Make a new project with an example that runs at once.",
    "completion": "Install the completion of commands for your shell.",
    "version": "Print the version of Drawloom.",
}


def _version() -> str:
    return version("drawloom")


def _default(value: Any) -> str | None:
    """How the help shows a default; one that says nothing is left out."""
    return None if value in (None, False, "") else str(value)


def app_for(words: Sequence[str] = ()) -> App:
    """The command line. With *words* that name a command, that command's own text is its help.

    A text given here stands in the list of commands without an import, but would
    hide what the command itself says.
    """
    app = App(
        name="drawloom",
        help=_HELP,
        version=_version,
        help_format="plaintext",
        help_formatter="plain",
        default_parameter=Parameter(show_default=_default),
    )
    named = any(word in _COMMANDS for word in words[:1])
    for name, text in _COMMANDS.items():
        app.command(f"drawloom.cli.{name}:{name}", name=name, help=None if named else text)
    return app
