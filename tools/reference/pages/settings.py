"""What may stand in drawloom.toml: the project's own settings, and each kind of connection."""

from __future__ import annotations

from textwrap import dedent

from drawloom.project import settings
from drawloom.runtime import Catalogue
from pages.markdown import fields, parts

OPENING = """# Settings

A project is a folder with a `drawloom.toml`. A setting that is not listed here
is an error.

"""

TOOLS = """The files that `tools` names are Python, and they run when tools are asked for.
A chain can never name one.

"""

CONNECTIONS = """## Connections

`[connections.NAME]` describes one connection. `kind` names the connector; the
other settings depend on it. A secret is a reference: `{env = "NAME"}`, `{file = "PATH"}`,
`{vault = "NAME"}` or `{hashicorp = "PATH#FIELD"}`; see
[Use a connection and its secrets](../howto/use-secrets.md).

"""


def page() -> str:
    return OPENING + project() + CONNECTIONS + connections()


def connections() -> str:
    catalogue = Catalogue()
    found = []
    for name in catalogue.connectors():
        kind = catalogue.connector(name).connection
        if kind is not None:
            schema = kind.model_json_schema()
            found.append(f'### `kind = "{name}"`\n\n{fields(schema)}\n{parts(schema)}')
    return "\n".join(found)


def project() -> str:
    """The example that the reader of the file itself gives."""
    lines = (settings.__doc__ or "").splitlines()
    example = "\n".join(line for line in lines if line.startswith("    ") or not line).strip()
    return f"## The project\n\n```toml\n{dedent('    ' + example)}\n```\n\n{TOOLS}"
