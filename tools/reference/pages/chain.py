"""The fields of the chain document, from its published JSON Schema."""

from __future__ import annotations

from drawloom.chains.schema import chain_schema
from pages.markdown import fields

OPENING = """# The chain document

A chain is one YAML (or JSON) file. Its structure is published as a JSON Schema
(draft 2020-12); `drawloom schema chain` prints it, for editors and other tools.
A field that is not listed here is an error, with the nearest name that is.

"""


def page() -> str:
    schema = chain_schema()
    step = schema["$defs"]["step"]
    parts = ["## The chain\n", fields(schema), "## A step\n", fields(step)]
    for name in ("retry", "repeat", "compensate"):
        field = step["properties"][name]
        parts += [f"## `{name}`\n", f"{field['description']}\n", fields(field)]
    return OPENING + "\n".join(parts)
