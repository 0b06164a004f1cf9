"""One page a connector: its README, and each tool with its fields, from the code."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getfile
from pathlib import Path
from sys import modules

from drawloom.runtime import Catalogue
from drawloom.sdk import Tool
from pages.markdown import code, fields, kind, parts, table

OPENING = """# Tools

Each connector brings tools. The effect of a tool says what a retry or a crash
may do to it; see [Failures and errors](../failures.md).

"""


def index() -> str:
    catalogue = Catalogue()
    rows = []
    for name in catalogue.connectors():
        for tool in catalogue.connector(name).tools.values():
            rows.append(
                [f"[`{tool.name}`]({name}.md#{anchor(tool)})", str(tool.effect), tool.summary]
            )
    return OPENING + table(["tool", "effect", "what it does"], rows)


def pages() -> Iterator[tuple[str, str]]:
    """The name of each connector, and its page."""
    catalogue = Catalogue()
    for name in catalogue.connectors():
        found = catalogue.connector(name)
        text = readme(found.tools)
        head = text or f"# {catalogue.about(name)['title']}\n"
        yield (
            name,
            "\n".join(
                [head.rstrip(), "", "## Reference", "", *map(section, found.tools.values())]
            ),
        )


def readme(tools: dict[str, Tool]) -> str:
    """The connector's own page, from its folder."""
    for tool in tools.values():
        package = modules[tool.function.__module__].__package__ or ""
        path = Path(getfile(modules[package])).with_name("README.md")
        return path.read_text(encoding="utf-8") if path.exists() else ""
    return ""


def anchor(tool: Tool) -> str:
    """The fragment that its heading gets."""
    return tool.name.replace(".", "").lower()


def section(tool: Tool) -> str:
    """One tool: its text, its effect, what goes in and what comes out."""
    facts = [f"Effect: {code(tool.effect)}."]
    if tool.connection:
        facts.append(f"Connection: {code(tool.connection)}.")
    if tool.timeout:
        facts.append(f"Time limit of one call: {tool.timeout:g} s.")
    return "\n".join(
        [
            f"### `{tool.name}`\n",
            f"{tool.doc}\n",
            f"{' '.join(facts)}\n",
            "Input:\n",
            fields(tool.input_schema),
            parts(tool.input_schema),
            "Output:\n",
            output(tool),
        ]
    )


def output(tool: Tool) -> str:
    """The fields of the output, or its type in words."""
    schema = tool.output_schema
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], "$defs": definitions}
    if schema.get("properties"):
        return f"{fields(schema)}\n{parts(schema)}"
    said = kind(schema, definitions)
    return f"{said[0].upper()}{said[1:]}.\n"
