"""Connections of the vault: added, changed, tried out, their secrets rotated, removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, get_args

from drawloom.chains import Chain
from drawloom.errors import ChainInvalid, ConnectionUnusable, Failure, ValueInvalid
from drawloom.project.settings import FILE, NAME
from drawloom.runtime import StoredConnection
from drawloom.runtime.calling import client_failure
from drawloom.runtime.clients import OPEN_WITHIN
from drawloom.runtime.redacting import redacted, values_of
from drawloom.sdk import Connection, Secret
from drawloom.sdk.secret import secrets_in
from drawloom.sdk.tls import MODES
from drawloom.vault.connections import KeptConnection

if TYPE_CHECKING:
    from drawloom.project.project import Project

#: What a connection that cannot be used needs, by the kind of its failure.
ADVICE: Final[Mapping[str, str]] = {
    "denied": "give it the right secret: drawloom connections rotate {name}",
    "missing": "what it names is not there: drawloom connections show {name}",
    "invalid": "its settings are refused: drawloom connections change {name}",
    "transient": "nobody answers at {where}: does the service run, and is the way to it open?",
    "timeout": "no answer from {where} in time: is the address right, and the way to it open?",
    "throttled": "it asks for fewer requests: try again later",
    "defect": "this is a bug, of the connector or of Drawloom",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """What trying a connection found: what the service *told*, in *seconds*, or a failure."""

    name: str
    kind: str
    address: str
    seconds: float
    told: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None

    @property
    def advice(self) -> str:
        """What to do about the failure."""
        text = "" if self.failure is None else ADVICE.get(self.failure.kind, "")
        return text.format(name=self.name, where=self.address)


def add(
    project: Project,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    values: Mapping[str, str] | None = None,
) -> KeptConnection:
    """Keep a new connection, and *values* of its secrets by field.

    Raises `ValueInvalid` for a name that is taken or unfit, `ConnectionUnusable`
    naming the field that is wrong.
    """
    if not NAME.match(name):
        raise ValueInvalid("a name has letters, digits, _ and -, and begins with a letter")
    if name in project.settings.connections:
        raise ValueInvalid(
            f"there is a connection {name!r} already: [connections.{name}] in "
            f"{project.folder / FILE}; choose another name, or take that one away"
        )
    if name in project.connections:
        raise ValueInvalid(
            f"there is a connection {name!r} already, in {project.vault.store.path}; "
            f"`drawloom connections change {name}` changes it"
        )
    return _put(project, name, kind, settings, values or {})


def change(
    project: Project, name: str, settings: Mapping[str, Any], values: Mapping[str, str]
) -> KeptConnection:
    """Keep *settings* for a connection of the vault, and *values* of its secrets by field.

    A secret goes to another address, or there with less protection, only if it is given
    anew: else whoever may change that could have the secret sent to himself. Raises
    `ValueInvalid`, and `VaultUnusable` where somebody has altered the vault by hand.
    """
    old = kept(project, name)
    typed = StoredConnection(name, old.kind, settings).typed(project.catalogue)
    before = dict(references(_stored(old), project))
    if before:  # what was altered by hand is not to be proven now
        project.vault.connections.check(project.secrets.principal, old)
    same = {at for at, secret in secrets_in(typed) if secret.reference in before.values()}
    if (why := asks_again(project, old, typed)) and (stale := sorted(same - values.keys())):
        raise ValueInvalid(
            f"the secret {', '.join(stale)} of {name!r} is for {why}, give its value again "
            f"(--stdin {stale[0]})"
        )
    return _put(project, name, old.kind, settings, values)


def asks_again(project: Project, old: KeptConnection, new: Connection) -> str:
    """Why the secrets of a connection are not for what it is to be; empty where they are."""
    if new.destination() not in old.origins:
        return f"{', '.join(old.origins)}; to send it to {new.destination()}"
    mode, trusted = _stored(old).typed(project.catalogue).protection()
    less, others = new.protection()
    if MODES.index(less) < MODES.index(mode):
        return f"a connection with TLS {mode}; to send it with TLS {less}"
    if others != trusted and mode not in ("off", "require"):
        return (
            f"whom {_vouching(trusted)} vouches for; to send it to whom {_vouching(others)} does"
        )
    return ""


def _vouching(ca_file: str | None) -> str:
    return "this machine" if ca_file is None else ca_file


def _stored(kept: KeptConnection) -> StoredConnection:
    return StoredConnection(kept.name, kept.kind, kept.settings)


def remove(project: Project, name: str, *, force: bool) -> None:
    """Forget a connection. Raises `ValueInvalid` while chains use it, unless *force*."""
    kept(project, name)
    if not force and (users := users_of(project, name)):
        raise ValueInvalid(
            f"the connection {name!r} is used by {', '.join(users)}; bind their slots to another "
            "in [bind], or remove it with --force"
        )
    project.vault.connections.remove(project.secrets.principal, name)
    project.forget()


def kept(project: Project, name: str) -> KeptConnection:
    """The connection of the vault. Raises `ValueInvalid` where it is elsewhere, or nowhere."""
    if name in project.settings.connections:
        raise ValueInvalid(f"{name!r} is in {project.folder / FILE}; change it there")
    found = project.vault.connections.all(project.secrets.principal)
    if name not in found:
        known = ", ".join(found) or "none"
        raise ValueInvalid(f"there is no connection {name!r} in the vault (known: {known})")
    return found[name]


def users_of(project: Project, name: str) -> list[str]:
    """The chains of the project whose slots are bound to a connection."""
    bind = project.settings.bind
    return sorted(
        chain.name
        for chain in _chains(project)
        if any(bind.get(slot, slot) == name for slot in chain.connections)
    )


def _chains(project: Project) -> Iterator[Chain]:
    for name in project.find_chain.files():
        try:
            yield project.find_chain(name)
        except (KeyError, ChainInvalid):
            continue  # a chain that cannot be read uses nothing


async def tried(
    project: Project, stored: StoredConnection, given: Mapping[str, str] | None = None
) -> Tried:
    """Open a connection, ask the service how it is, and close it again.

    *given* are values of secrets by field, in place of those that are kept.
    """
    began = time.perf_counter()
    address, told, failure = "", {}, None
    settings: Connection | None = None
    try:
        settings = stored.typed(project.catalogue)
        address = settings.destination()
        async with asyncio.timeout(OPEN_WITHIN):
            await project.secrets.hand_over(stored, settings)
            _hand(settings, given or {})
            async with settings.open(project.doors) as client:
                told = await settings.check(client)
    except Exception as exc:  # noqa: BLE001 - whatever keeps it from opening is told
        faults = project.catalogue.connector(stored.kind).faults
        secrets = values_of(settings) if settings is not None else []
        failure = redacted(client_failure(faults, exc), secrets)
    return Tried(stored.name, stored.kind, address, time.perf_counter() - began, told, failure)


async def rotate(project: Project, name: str, at: str | None, value: str) -> Tried:
    """Set a new value of a connection's secret, once the service has accepted it.

    Where it does not, the old one stays. *at* is the secret's field, if it has several.
    Raises `ValueInvalid` where there is no such secret, or it is not in the vault.
    """
    stored = stored_of(project, name)
    field, secret = rotated_secret(project, stored, at)
    found = await tried(project, stored, {field: value})
    if found.failure is None:
        project.vault.secrets.set(project.secrets.principal, secret, value)
    return found


def rotated_secret(project: Project, stored: StoredConnection, at: str | None) -> tuple[str, str]:
    """The field and the vault's name of the secret that is meant. Raises `ValueInvalid`."""
    every = dict(references(stored, project))
    chosen = {field: ref for field, ref in every.items() if at in (None, field)}
    if len(chosen) != 1:
        known = ", ".join(every) or "none"
        raise ValueInvalid(f"{stored.name}: say which secret with --field (it has: {known})")
    [(field, reference)] = chosen.items()
    if "vault" not in reference:
        [(kind, where)] = reference.items()
        raise ValueInvalid(
            f"{stored.name}: {field} is kept elsewhere ({kind} {where}); set it there"
        )
    return field, reference["vault"]


def stored_of(project: Project, name: str) -> StoredConnection:
    """The connection of a name, wherever it is kept. Raises `ValueInvalid`."""
    if name not in project.connections:
        known = ", ".join(sorted(project.connections)) or "none"
        raise ValueInvalid(f"there is no connection {name!r} (known: {known})")
    return project.connections[name]


def references(stored: StoredConnection, project: Project) -> Iterator[tuple[str, dict[str, str]]]:
    """The fields of a connection's secrets, and where each is kept."""
    for at, secret in secrets_in(stored.typed(project.catalogue)):
        yield at, secret.reference


def lacking(project: Project, kind: str, settings: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The fields that nobody gave and that are required, or are secrets; whether each is one.

    Raises `ConnectionUnusable` for a kind that there is not.
    """
    model = StoredConnection("new", kind, {}).model(project.catalogue)
    names = [name for name in model.model_fields if name not in settings]
    found = [(n, model.model_fields[n].is_required(), _is_secret(model, n)) for n in names]
    return [(name, secret) for name, required, secret in found if required or secret]


def _is_secret(model: type[Connection], name: str) -> bool:
    annotation = model.model_fields[name].annotation
    return Secret in (annotation, *get_args(annotation))


def _hand(settings: Connection, given: Mapping[str, str]) -> None:
    for at, secret in secrets_in(settings):
        if at in given:
            secret.hand(given[at])


def _put(
    project: Project,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    values: Mapping[str, str],
) -> KeptConnection:
    typed = StoredConnection(name, kind, settings).typed(project.catalogue)
    whole = typed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        address = typed.destination()
    except ConnectionUnusable as exc:
        raise ConnectionUnusable(f"connection {name!r}: {exc}") from None
    made = KeptConnection(name, kind, whole, (address,))
    secrets = dict(secrets_in(typed))
    vault, principal = project.vault, project.secrets.principal
    with (
        vault.store.changing()
    ):  # a secret is never kept for another address than it was given for
        for at, value in values.items():
            vault.secrets.set(principal, secrets[at].reference["vault"], value)
        vault.connections.put(principal, made, secret=bool(secrets))
    project.forget()
    return made
