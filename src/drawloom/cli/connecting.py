"""What `drawloom connections` reads from the command line, asks for, and shows."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drawloom.cli.asking import ask, on_a_terminal, secret_value
from drawloom.cli.terminal import duration, json_line, print_json, print_table, say
from drawloom.errors import ConnectionUnusable, ValueInvalid
from drawloom.project import Project, connecting, shapes
from drawloom.project.connecting import Tried
from drawloom.runtime import StoredConnection
from drawloom.sdk.secret import KINDS

Values = dict[str, str]  # of secrets, by their fields


def given(
    project: Project,
    name: str,
    kind: str,
    before: Mapping[str, Any],
    settings: Sequence[str] | None,
    secrets: Sequence[str] | None,
    stdin: str | None,
) -> tuple[dict[str, Any], Values]:
    """The settings of a connection as the command line gives them, and values of its secrets.

    What is required and missing is asked for, where there is a terminal.
    """
    made: dict[str, Any] = copy.deepcopy(dict(before))
    values: Values = {}
    for text in settings or ():
        at, value = _pair(text, "--set FIELD=VALUE")
        put(made, at, _value(value))
    for text in secrets or ():
        at, value = _pair(text, "--secret FIELD=NAME")
        put(made, at, _reference(value))
    if stdin is not None:
        values[stdin] = secret_value("", True, None)
        put(made, stdin, {"vault": f"{name}.{stdin}"})
    elif not before and on_a_terminal():
        _ask_for_rest(project, name, kind, made, values)
    return made, values


def changed(
    project: Project,
    name: str,
    settings: Sequence[str] | None,
    unset: Sequence[str] | None,
    secrets: Sequence[str] | None,
    stdin: str | None,
) -> None:
    """Change a connection; on a terminal the secrets are asked for where they are for another."""
    old = connecting.kept(project, name)
    before = copy.deepcopy(dict(old.settings))
    for at in unset or ():
        _take_away(before, at)
    made, values = given(project, name, old.kind, before or {"": ""}, settings, secrets, stdin)
    made.pop("", None)
    stored = StoredConnection(name, old.kind, made)
    why = connecting.asks_again(project, old, stored.typed(project.catalogue))
    if why and on_a_terminal():
        say(f"What {name} has as a secret is for {why}, give it again.")
        for at, reference in connecting.references(stored, project):
            if at not in values and "vault" in reference:
                values[at] = secret_value(f"{at} (not shown): ", False, None)
                put(made, at, {"vault": f"{name}.{at}"})
    connecting.change(project, name, made, values)


def _ask_for_rest(
    project: Project, name: str, kind: str, made: dict[str, Any], values: Values
) -> None:
    """Ask for what the kind requires and nobody gave; a secret is not shown."""
    for at, is_secret in connecting.lacking(project, kind, made):
        if not is_secret:
            put(made, at, _value(ask(f"{at}: ")))
            continue
        if value := secret_value(f"{at} (not shown; empty for none): ", False, None):
            values[at] = value
            put(made, at, {"vault": f"{name}.{at}"})


def put(settings: dict[str, Any], at: str, value: Any) -> None:
    """Set the field that the path *at* names, as in `auth.type`."""
    *above, last = at.split(".")
    for part in above:
        inner = settings.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ValueInvalid(f"{at}: {part} is no table of fields")
        settings = inner
    settings[last] = value


def _take_away(settings: dict[str, Any], at: str) -> None:
    *above, last = at.split(".")
    inner: Any = settings
    for part in above:
        inner = inner.get(part, {}) if isinstance(inner, dict) else {}
    if not isinstance(inner, dict) or last not in inner:
        raise ValueInvalid(f"--unset {at}: it has its default already")
    del inner[last]


def _pair(text: str, form: str) -> tuple[str, str]:
    at, equals, value = text.partition("=")
    if not equals or not at:
        raise ValueInvalid(f"write {form}")  # the text itself may be a secret
    return at, value


def _value(text: str) -> Any:
    """Text, unless it is written as a list or an object of JSON. The field's type does the rest."""
    if text[:1] in ("[", "{"):
        from drawloom.dataflow.values import read_json

        return read_json(text, source="--set")
    return text


def _reference(text: str) -> dict[str, str]:
    kind, colon, name = text.partition(":")
    return {kind: name} if colon and kind in KINDS else {"vault": text}


def shape(project: Project, name: str, *, whole: bool = True) -> dict[str, Any]:
    """A connection as `--json` gives it; its secrets as references."""
    stored = connecting.stored_of(project, name)
    in_file = name in project.settings.connections
    found: dict[str, Any] = {
        "name": name,
        "kind": stored.kind,
        "place": "file" if in_file else "vault",
        "address": _address(project, stored),
        "used_by": connecting.users_of(project, name),
    }
    if whole:
        found["settings"] = safe(dict(stored.settings))
        found["version"] = None if in_file else connecting.kept(project, name).version
    return found


def safe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """*settings* without what was typed in clear where a secret belongs."""
    from drawloom.testing.masking import MASK, is_secret

    made: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            made[name] = safe(value)
        else:
            made[name] = MASK if is_secret(name) and value is not None else value
    reference = len(settings) == 1 and next(iter(settings)) in KINDS
    return dict(settings) if reference else made


def _address(project: Project, stored: StoredConnection) -> str | None:
    """None where the settings are wrong: `drawloom doctor` says how."""
    try:
        return stored.typed(project.catalogue).destination()
    except ConnectionUnusable:
        return None


def told(project: Project, name: str, message: str, as_json: bool) -> int:
    """Show a connection, after *message*; the exit code."""
    found = shape(project, name)
    if as_json:
        print_json(found)
        return 0
    if message:
        say(message)
        return 0
    rows = [(key, _text(found[key])) for key in ("kind", "place", "address", "version", "used_by")]
    rows += [(f"  {key}", _text(value)) for key, value in found["settings"].items()]
    print_table((name, ""), rows)
    return 0


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json_line(value)


def print_list(listed: Sequence[Mapping[str, Any]]) -> None:
    """A table of connections."""
    if not listed:
        say("There are no connections; `drawloom connections add NAME --kind KIND` adds one.")
        return
    rows = [[_text(c[k]) for k in ("name", "kind", "place", "address", "used_by")] for c in listed]
    print_table(("CONNECTION", "KIND", "KEPT IN", "ADDRESS", "USED BY"), rows)


def tried(project: Project, name: str) -> Tried:
    """What trying a connection finds."""
    return asyncio.run(connecting.tried(project, connecting.stored_of(project, name)))


def rotated(project: Project, name: str, at: str | None, stdin: bool, file: Path | None) -> Tried:
    """Ask for a new secret, try it, and keep it if it is accepted."""
    field, _ = connecting.rotated_secret(project, connecting.stored_of(project, name), at)
    value = secret_value(f"New {field} of {name} (not shown): ", stdin, file)
    return asyncio.run(connecting.rotate(project, name, field, value))


def print_tried(found: Tried, as_json: bool, *, rotated: bool = False) -> int:
    """Show what trying found; the exit code."""
    if as_json:
        print_json(
            {
                "name": found.name,
                "kind": found.kind,
                "address": found.address,
                "usable": found.failure is None,
                "seconds": round(found.seconds, 4),
                "told": dict(found.told),
                "failure": shapes.failure(found.failure),
                "advice": found.advice or None,
            }
        )
        return int(found.failure is not None)
    if found.failure is not None:
        kept = "; the old secret stays" if rotated else ""
        say(f"{found.name} cannot be used: {found.failure}{kept}\n{found.advice}".rstrip())
        return 1
    rows = [("address", found.address), ("answered in", duration(found.seconds))]
    rows += [(key, _text(value)) for key, value in found.told.items()]
    print_table((found.name, "in use from now on" if rotated else "can be used"), rows)
    return 0
