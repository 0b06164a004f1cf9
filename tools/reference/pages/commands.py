"""The command line, from the command line itself."""

from __future__ import annotations


def page() -> str:
    from drawloom.cli.commands import app

    return str(app.generate_docs(output_format="markdown", flatten_commands=True))
