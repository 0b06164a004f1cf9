"""`drawloom schema`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from drawloom.cli.options import AsJson, ProjectFolder, project_of

# What is printed is JSON in any case; `--json` is taken here as everywhere.
schema = App(name="schema", help="Print the JSON Schema of chains, tools and connections.")


@schema.command
def chain(*, json: AsJson = True) -> int:
    """Print the JSON Schema (2020-12) of the chain document, for an editor.

    For example:
      drawloom schema chain > chain.schema.json
    """
    from drawloom.chains.schema import chain_schema
    from drawloom.cli.terminal import print_json

    print_json(chain_schema())
    return 0


@schema.command
def tool(
    name: Annotated[str, Parameter(name="TOOL", help="A tool, as connector.tool.")],
    /,
    *,
    output: Annotated[
        bool, Parameter(negative="", help="What the tool gives, not what it takes.")
    ] = False,
    json: AsJson = True,
    project: ProjectFolder = None,
) -> int:
    """Print the JSON Schema of what a tool takes, or gives.

    For example:
      drawloom schema tool core.aggregate
    """
    from drawloom.cli.terminal import print_json

    found = project_of(project).catalogue.find(name)
    print_json(found.output_schema if output else found.input_schema)
    return 0


@schema.command
def connection(
    kind: Annotated[str, Parameter(name="KIND", help="A connector, such as postgresql.")],
    /,
    *,
    json: AsJson = True,
    project: ProjectFolder = None,
) -> int:
    """Print the JSON Schema of the settings of a kind of connection.

    For example:
      drawloom schema connection postgresql
    """
    from drawloom.cli.terminal import print_json
    from drawloom.errors import ValueInvalid

    found = project_of(project).catalogue.connector(kind)
    if found.connection is None:
        raise ValueInvalid(f"{kind} needs no connection: its tools are used without `on`")
    print_json(found.connection.model_json_schema())
    return 0
