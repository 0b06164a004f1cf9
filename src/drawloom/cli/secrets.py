"""`drawloom secrets`: what the vault keeps, and its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from drawloom.cli.options import AsJson, ProjectFolder, project_of

secrets = App(name="secrets", help="Set, list and remove secrets; rotate the keys of the vault.")

Name = Annotated[str, Parameter(name="NAME", help="The secret's name.")]


@secrets.command(name="set")
def set_(
    name: Name,
    /,
    *,
    stdin: Annotated[bool, Parameter(negative="", help="Read the value from stdin.")] = False,
    file: Annotated[Path | None, Parameter(help="Read the value from this file.")] = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Set a secret, or its next version. The value is asked for, and not shown.

    A line's end behind the value is no part of it. An engine that runs uses the new
    value for what it opens from now on.

    With --json: {secret, version}.

    For example:
      drawloom secrets set db-password
      pass show shop/db | drawloom secrets set db-password --stdin
    """
    from drawloom.cli.asking import secret_value
    from drawloom.cli.terminal import print_json, say

    found = project_of(project)
    value = secret_value(f"Value of {name}: ", stdin, file)
    version = found.vault.secrets.set(found.secrets.principal, name, value)
    if json:
        print_json({"secret": name, "version": version})
    else:
        say(f'Set {name}, version {version}. Use it as {{vault = "{name}"}}.')
    return 0


@secrets.command(name="list")
def list_(*, json: AsJson = False, project: ProjectFolder = None) -> int:
    """List the secrets, without their values, and the connections that use each.

    With --json: {secrets: [{name, version, kept, made_at, changed_at, changed_by, key,
    used_by}]}; instants are RFC 3339 in UTC.

    For example:
      drawloom secrets list
    """
    from drawloom.cli.secret_shapes import listed, print_secrets
    from drawloom.cli.terminal import print_json

    found = listed(project_of(project))
    if json:
        print_json({"secrets": found})
    else:
        print_secrets(found)
    return 0
