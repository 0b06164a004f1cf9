"""`drawloom connections`: added, looked at, tried out, changed, removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from drawloom.cli.options import AsJson, ProjectFolder, project_of

connections = App(
    name="connections", help="Add, list, test and change connections, and rotate their secrets."
)

Name: TypeAlias = Annotated[str, Parameter(name="NAME", help="The connection's name.")]
Settings: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name=("--set", "-s"),
        negative="",
        help="FIELD=VALUE of a setting, once for each; a field within one is auth.type.",
    ),
]
SecretRefs: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name="--secret",
        negative="",
        help="FIELD=NAME of a secret of the vault, or FIELD=env:NAME, file:PATH, "
        "hashicorp:PATH#FIELD.",
    ),
]
FromStdin: TypeAlias = Annotated[
    str | None,
    Parameter(name="--stdin", help="FIELD of a secret whose value is read from stdin, and kept."),
]


@connections.command
def add(
    name: Name,
    /,
    *,
    kind: Annotated[str, Parameter(help="Its kind, such as postgresql.")],
    set: Settings = None,
    secret: SecretRefs = None,
    stdin: FromStdin = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Add a connection to the vault of this project.

    On a terminal what is missing is asked for; a secret is not shown, and is kept
    as NAME.FIELD. `drawloom schema connection KIND` tells the settings of a kind.

    With --json: {name, kind, place, address, settings, version, used_by}.

    For example:
      drawloom connections add db --kind postgresql -s database=shop -s user=weaver
      drawloom connections add api --kind http -s base_url=https://api.example.org
        -s auth.type=bearer --secret auth.token=env:API_TOKEN
    """
    from drawloom.cli.connecting import given, told
    from drawloom.project import connecting

    found = project_of(project)
    settings, values = given(found, name, kind, {}, set, secret, stdin)
    connecting.add(found, name, kind, settings, values)
    return told(found, name, f"Added {name}. Try it: drawloom connections test {name}", json)


@connections.command
def change(
    name: Name,
    /,
    *,
    set: Settings = None,
    unset: Annotated[
        list[str] | None, Parameter(negative="", help="FIELD that gets its default again.")
    ] = None,
    secret: SecretRefs = None,
    stdin: FromStdin = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Change settings of a connection that is in the vault.

    With another address, or weaker TLS, its secrets have to be given again, by --stdin
    FIELD or on the terminal: a secret is never sent where, or how, it was not given for.

    With --json: {name, kind, place, address, settings, version, used_by}.

    For example:
      drawloom connections change db --set max_connections=20
    """
    from drawloom.cli.connecting import changed, told

    found = project_of(project)
    changed(found, name, set, unset, secret, stdin)
    return told(found, name, f"Changed {name}.", json)


@connections.command(name="list")
def list_(*, json: AsJson = False, project: ProjectFolder = None) -> int:
    """List the connections of drawloom.toml and of the vault, and the chains that use each.

    With --json: {connections: [{name, kind, place, address, used_by}]}; a place is
    file or vault.

    For example:
      drawloom connections list
    """
    from drawloom.cli.connecting import print_list, shape
    from drawloom.cli.terminal import print_json

    found = project_of(project)
    listed = [shape(found, name, whole=False) for name in sorted(found.connections)]
    if json:
        print_json({"connections": listed})
    else:
        print_list(listed)
    return 0


@connections.command
def describe(
    name: Name,
    files: Annotated[
        tuple[Path, ...], Parameter(name="FILE", help="Chains whose SQL is described, too.")
    ] = (),
    /,
    *,
    project: ProjectFolder = None,
) -> int:
    """Print what a connection's database holds, as JSON, for `drawloom check --catalogue`.

    That is tables and columns with their types, and nothing of the connection's settings.
    Of the SQL that steps of the chains have written out, the server tells which columns and
    types it gives, or why it refuses it: it is prepared, and never run.

    Exit codes: 0 it was told, 1 the server cannot be asked, 2 no such connection or chain.

    For example:
      drawloom connections describe db chain.yaml > shop.json
      drawloom check chain.yaml --catalogue shop.json
    """
    from drawloom.cli.describing import describe_connection

    return describe_connection(project_of(project, *files[:1]), name, files)


@connections.command
def show(name: Name, /, *, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Show a connection: its settings, and where its secrets are kept; never a secret.

    With --json: {name, kind, place, address, settings, version, used_by}.

    For example:
      drawloom connections show db
    """
    from drawloom.cli.connecting import told

    return told(project_of(project), name, "", json)


@connections.command
def test(name: Name, /, *, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Connect, ask the service how it is, and say what it told.

    Exit codes: 0 it can be used, 1 it cannot; what to do is said.

    With --json: {name, kind, address, usable, seconds, told, failure, advice}.

    For example:
      drawloom connections test db
    """
    from drawloom.cli.connecting import print_tried, tried

    return print_tried(tried(project_of(project), name), json)


@connections.command
def rotate(
    name: Name,
    /,
    *,
    field: Annotated[
        str | None, Parameter(help="Which secret, if it has several, as in auth.token.")
    ] = None,
    stdin: Annotated[bool, Parameter(negative="", help="Read the value from stdin.")] = False,
    file: Annotated[Path | None, Parameter(help="Read the value from this file.")] = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Give a connection a new secret, which is tried first: if refused, the old one stays.

    The secret has to be in the vault. The value is asked for, and not shown.

    Exit codes: 0 the new secret is in use, 1 the service refused it.

    With --json: {name, kind, address, usable, seconds, told, failure, advice}.

    For example:
      drawloom connections rotate db
      pass show shop/db | drawloom connections rotate db --stdin
    """
    from drawloom.cli.connecting import print_tried, rotated

    found = rotated(project_of(project), name, field, stdin, file)
    return print_tried(found, json, rotated=True)


@connections.command
def remove(
    name: Name,
    /,
    *,
    force: Annotated[bool, Parameter(negative="", help="Though chains use it.")] = False,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Remove a connection from the vault. Its secrets stay: `drawloom secrets remove`.

    With --json: {removed}, the name.

    For example:
      drawloom connections remove db
    """
    from drawloom.cli.terminal import print_json, say
    from drawloom.project import connecting

    connecting.remove(project_of(project), name, force=force)
    if json:
        print_json({"removed": name})
    else:
        say(f"Removed {name}.")
    return 0
