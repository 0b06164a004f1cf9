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
    *value: Annotated[str, Parameter(show=False)],
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
    from drawloom.errors import ValueInvalid

    if value:  # it is not repeated here; the shell's history has it already
        raise ValueInvalid("a secret is no argument, which others can see; give --stdin or --file")
    found = project_of(project)
    given = secret_value(f"Value of {name}: ", stdin, file)
    version = found.vault.secrets.set(found.secrets.principal, name, given)
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


@secrets.command
def remove(
    name: Name,
    /,
    *,
    force: Annotated[bool, Parameter(negative="", help="Though connections use it.")] = False,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Remove a secret, all of its versions.

    With --json: {removed}, the name.

    For example:
      drawloom secrets remove db-password
    """
    from drawloom.cli.secret_shapes import used_by
    from drawloom.cli.terminal import print_json, say
    from drawloom.errors import ValueInvalid

    found = project_of(project)
    if not force and (users := used_by(found).get(name)):
        raise ValueInvalid(
            f"the secret {name!r} is used by {', '.join(users)}; give them another, or remove "
            "it with --force"
        )
    found.vault.secrets.remove(found.secrets.principal, name)
    if json:
        print_json({"removed": name})
    else:
        say(f"Removed {name}.")
    return 0


@secrets.command
def rotate_key(*, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Add a key to the ring, which seals what is set from now on.

    `drawloom secrets rewrap` seals with it what was set before.

    With --json: {key}.

    For example:
      drawloom secrets rotate-key
    """
    from drawloom.cli.terminal import print_json, say

    found = project_of(project)
    key = found.vault.keys.rotate(found.secrets.principal)
    if json:
        print_json({"key": key})
    else:
        say(f"The key {key} is in use. For what was set before: drawloom secrets rewrap")
    return 0


@secrets.command
def rotate_root(*, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Close the vault with a new root key, in the place of the old one.

    If it is interrupted, the vault is open as before; start it again. A copy of the vault
    made before needs the old key. A root key of the environment is yours to change: put the
    new one into DRAWLOOM_ROOT_KEY_NEXT, and what to do then is said.

    With --json: {root_key, place}; of the key, only its name is told.

    For example:
      drawloom secrets rotate-root
    """
    from drawloom.cli.terminal import print_json, say
    from drawloom.vault.root_key import NEXT, VARIABLE

    found = project_of(project)
    name = found.vault.keys.rotate_root(found.secrets.principal)
    place = found.vault.root_key
    if json:
        print_json({"root_key": name, "place": str(place)})
    elif place.in_environment:
        say(
            f"The vault is closed with the key of {NEXT} ({name}). Put it into {VARIABLE} "
            "wherever Drawloom runs, start engines anew, and take the old one away."
        )
    else:
        say(f"The vault is closed with a new root key ({name}), in {place}.")
    return 0


@secrets.command
def rewrap(*, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Seal all data keys with the newest key of the ring, and drop the keys that nothing needs.

    The secrets themselves are not opened. If it is interrupted, start it again.

    With --json: {rewrapped, dropped}.

    For example:
      drawloom secrets rewrap
    """
    from drawloom.cli.terminal import counted, print_json, say

    found = project_of(project)
    count, dropped = found.vault.keys.rewrap(found.secrets.principal)
    if json:
        print_json({"rewrapped": count, "dropped": dropped})
    else:
        say(
            f"Sealed {counted(count, 'data key')} anew; dropped {counted(len(dropped), 'old key')}."
        )
    return 0


@secrets.command
def log(
    *,
    limit: Annotated[int, Parameter(help="How many changes at most, the latest first.")] = 50,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Show who changed what in the vault, and when; never a value.

    With --json: {changes: [{at, who, did, what, version}]}.

    For example:
      drawloom secrets log
    """
    from drawloom.cli.terminal import instant as local
    from drawloom.cli.terminal import print_json, print_table
    from drawloom.project.shapes import instant

    found = project_of(project)
    changes = found.vault.store.audited(found.secrets.principal, limit)
    if json:
        fields = ("who", "did", "what", "version")
        told = [{"at": instant(c.at), **{f: getattr(c, f) for f in fields}} for c in changes]
        print_json({"changes": told})
    else:
        rows = [(local(c.at), c.who, c.did, c.what, str(c.version or "")) for c in changes]
        print_table(("WHEN", "WHO", "DID", "WHAT", "VERSION"), rows)
    return 0
