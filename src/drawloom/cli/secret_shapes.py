"""How secrets are listed: by name, and by who uses them; never a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drawloom.cli.terminal import print_table, say
from drawloom.project.shapes import instant

if TYPE_CHECKING:
    from drawloom.project import Project


def listed(project: Project) -> list[dict[str, Any]]:
    """The secrets as `--json` gives them."""
    users = used_by(project)
    return [
        {
            "name": about.name,
            "version": about.version,
            "kept": about.kept,
            "made_at": instant(about.made_at),
            "changed_at": instant(about.changed_at),
            "changed_by": about.changed_by,
            "key": about.key,
            "used_by": users.get(about.name, []),
        }
        for about in project.vault.secrets.list(project.secrets.principal)
    ]


def used_by(project: Project) -> dict[str, list[str]]:
    """The connections that refer to each secret of the vault."""
    users: dict[str, list[str]] = {}
    for name, stored in project.connections.items():
        for kind, secret in references_in(stored.settings):
            if kind == "vault":
                users.setdefault(secret, []).append(name)
    return users


def references_in(settings: Any) -> Iterator[tuple[str, str]]:
    """Every reference to a secret that *settings* may hold, as kind and name."""
    from drawloom.sdk.secret import KINDS

    if isinstance(settings, Mapping):
        pairs = list(settings.items())
        if len(pairs) == 1 and pairs[0][0] in KINDS and isinstance(pairs[0][1], str):
            yield pairs[0]
            return
        for _, inner in pairs:
            yield from references_in(inner)
    elif isinstance(settings, list):
        for inner in settings:
            yield from references_in(inner)


def print_secrets(found: Sequence[Mapping[str, Any]]) -> None:
    """A table of them."""
    if not found:
        say("No secrets are kept here; `drawloom secrets set NAME` keeps one.")
        return
    rows = [
        (s["name"], str(s["version"]), s["changed_at"], s["changed_by"], ", ".join(s["used_by"]))
        for s in found
    ]
    print_table(("SECRET", "VERSION", "CHANGED", "BY", "USED BY"), rows)
