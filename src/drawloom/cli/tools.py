"""`drawloom tools`: list, show and call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from drawloom.cli.options import AsJson, Binds, InputJson, Inputs, ProjectFolder, project_of

if TYPE_CHECKING:
    from drawloom.sdk import Tool

tools = App(name="tools", help="List, show and call the tools that there are.")

ToolName = Annotated[str, Parameter(name="TOOL", help="A tool, as connector.tool.")]


@tools.command(name="list")
def list_(
    word: Annotated[
        str | None, Parameter(name="WORD", help="Only tools with this in their name or text.")
    ] = None,
    /,
    *,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """List the tools, the project's own included.

    With --json: {tools: [{tool, effect, connection, timeout, summary}]}.

    For example:
      drawloom tools list
      drawloom tools list csv
    """
    from drawloom.cli.terminal import print_json, print_table, say
    from drawloom.project import shapes

    every = list(project_of(project).catalogue.tools())
    found = [tool for tool in every if word is None or _has(tool, word.lower())]
    if json:
        print_json({"tools": [shapes.brief(tool) for tool in found]})
    elif found:
        rows = [
            (tool.name, str(tool.effect), tool.connection or "", tool.summary) for tool in found
        ]
        print_table(("TOOL", "EFFECT", "CONNECTION", "WHAT IT DOES"), rows)
    else:
        say(f"No tool has {word!r} in its name or text; `drawloom tools list` shows all.")
    return 0


def _has(tool: Tool, word: str) -> bool:
    return word in tool.name.lower() or word in tool.doc.lower()


@tools.command
def show(tool: ToolName, /, *, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Show a tool: what it does, takes and gives, and what a crash may do to it.

    With --json: what a list has of the tool, and {doc, input, output}: its
    schemas.

    For example:
      drawloom tools show core.aggregate
    """
    from drawloom.cli.terminal import print_json, print_lines
    from drawloom.project import shapes

    found = project_of(project).catalogue.find(tool)
    if json:
        print_json(shapes.tool(found))
        return 0
    print_lines(f"{found.name}   effect: {found.effect}{_needs(found)}\n\n{found.doc}")
    _print_fields("takes", found.input_schema)
    _print_fields("gives", found.output_schema)
    return 0


@tools.command
def schemas(*, json: AsJson = True, project: ProjectFolder = None) -> int:
    """Print all tools with their schemas as JSON, to compare with later.

    Save it before an upgrade; `drawloom impact --against FILE` then says which
    steps break. {tools: {NAME: {effect, connection, timeout, construct, streams,
    input, output, item}}}.

    For example:
      drawloom tools schemas > before.json
    """
    from drawloom.chains.impact_versions import saved
    from drawloom.cli.terminal import print_json

    print_json(saved(project_of(project).catalogue.tools()))
    return 0


def _needs(tool: Tool) -> str:
    timeout = f"   deadline: {tool.timeout:g} s" if tool.timeout else ""
    return (f"   connection: {tool.connection}" if tool.connection else "") + timeout


def _print_fields(title: str, schema: dict[str, Any]) -> None:
    from drawloom.cli.terminal import json_line, print_lines, print_table

    print_lines(f"\n{title}:")
    fields = _resolved(schema, schema).get("properties")
    if not fields:
        print_lines(f"  {json_line(schema)}")
        return
    required = _resolved(schema, schema).get("required", [])
    rows = [
        (
            f"  {name}",
            _type(field, schema),
            "required" if name in required else _default(field),
            field.get("description", ""),
        )
        for name, field in fields.items()
    ]
    print_table(("  FIELD", "TYPE", "", ""), rows)


def _resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    while isinstance(schema, dict) and str(schema.get("$ref", "")).startswith("#/$defs/"):
        schema = root.get("$defs", {}).get(schema["$ref"][8:])
    return schema if isinstance(schema, dict) else {}


def _default(field: dict[str, Any]) -> str:
    from drawloom.cli.terminal import json_line

    return f"default {json_line(field['default'])}" if "default" in field else ""


def _type(field: Any, root: dict[str, Any]) -> str:
    """A type in a few words; `tools show --json` has the whole schema."""
    from drawloom.cli.terminal import json_line

    field = _resolved(field, root)
    if "enum" in field:
        return " | ".join(json_line(value) for value in field["enum"])
    if "const" in field:
        return json_line(field["const"])
    for word in ("anyOf", "oneOf"):
        if word in field:
            return " | ".join(dict.fromkeys(_type(part, root) for part in field[word]))
    kind = field.get("type", "any")
    if isinstance(kind, list):
        return " | ".join(kind)
    if kind == "array" and "items" in field:
        return f"list of {_type(field['items'], root)}"
    return str(kind)


@tools.command
def call(
    tool: ToolName,
    /,
    *,
    input: Inputs = None,
    input_json: InputJson = None,
    bind: Binds = None,
    connection: Annotated[
        str | None,
        Parameter(help="The stored connection to use; else the only one of its kind."),
    ] = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Call one tool once, and print what it gives. Nothing is kept.

    Exit codes: 0 it succeeded, 1 it failed, 2 the input does not fit.
    With --json: {tool, status, output, failure, seconds}.

    For example:
      drawloom tools call core.transform --input-json '{"value": [1, 2]}'
      drawloom tools call sqlite.query --connection db -i "sql=select 1 as one"
    """
    from drawloom.cli.calling import call_tool

    return call_tool(
        project_of(project),
        tool,
        input,
        input_json,
        [*(bind or ()), *([f"connection={connection}"] if connection else [])],
        json,
    )
