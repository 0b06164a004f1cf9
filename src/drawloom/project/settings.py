"""`drawloom.toml`, read strictly: an unknown or mistyped key is an error that names it.

    tools = ["tools.py"]            # Python files with tools and connectors of your own

    [connections.db]                # a chain's slot `db` finds this one by its name
    kind = "postgresql"
    host = "db.example.org"
    password = {env = "PGPASSWORD"} # a secret is a reference, never the value

    [secrets]
    root_key = "file"               # file | keyring: where the key that opens the vault is kept
    root_key_file = "root.key"      # in the state folder, unless it is a whole path

    [secrets.hashicorp]             # a server of HashiCorp Vault or OpenBao
    address = "https://vault.example.org:8200"
    token = {env = "VAULT_TOKEN"}   # or role_id and secret_id; for more, see "Use secrets"

    [bind]
    reporting = "db"                # the slot `reporting` of any chain uses `db`

    [state]
    folder = ".drawloom"            # where runs are kept
    durability = "full"             # full | relaxed | memory
    keep_days = 30                  # how long runs that ended are kept
    blob_threshold = "256kB"        # a larger value is kept in a file of its own

    [policies]
    concurrency = 10000             # calls at once; for the rest, see "Limit and protect services"

`[policies]`, limits and instances are described in `policy_settings`.
    [engine]
    memory = "2GB"                  # the most that isolated calls may declare together, and
                                    # beyond which this process starts no further run

    [isolation]
    cgroup = "/sys/fs/cgroup/loom"  # in which isolated calls get control groups; else a delegated one

    [code]
    enabled = true                  # whether steps may hold code (core.python); false unless given
    sandbox = "auto"                # auto | bubblewrap | monty: what their code runs in

The files that `tools` names are trusted configuration code: they are Python,
and run when a catalogue is asked for. A chain can never name one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypeAlias, cast

from drawloom.chains.findings import did_you_mean
from drawloom.chains.sizes import bytes_of
from drawloom.drivers.embedded.blobs import THRESHOLD
from drawloom.drivers.embedded.codec import LARGE
from drawloom.errors import ValueInvalid
from drawloom.project.policy_settings import PolicyReader
from drawloom.project.secret_settings import SecretSettings, read_secrets
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule

FILE: Final = "drawloom.toml"

Durability: TypeAlias = Literal["full", "relaxed", "memory"]

_DURABILITIES: Final = ("full", "relaxed", "memory")
_SANDBOXES: Final = ("auto", "bubblewrap", "monty")
_SHARED: Final = (
    "kind",
    "limits",
    "balance",
    "health_check",
    "instances",
)  # not settings of the connector
_LARGEST: Final = 1 << 20  # bytes
_MOST_INLINE: Final = 64_000_000  # bytes that one row of the store may hold
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """One `[connections.NAME]`: its kind, and the settings of that kind."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    pool: PoolRule | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a `drawloom.toml` says; the defaults where there is none."""

    connections: Mapping[str, ConnectionSettings] = field(default_factory=dict)
    bind: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    state_folder: str = ".drawloom"
    durability: Durability = "full"
    keep_days: float = 30.0
    blob_threshold: int = THRESHOLD  # bytes of JSON
    policies: Policies = field(default_factory=Policies)
    memory: int | None = None  # bytes
    code_steps: bool = False
    sandbox: str = "auto"
    cgroup: str | None = None
    secrets: SecretSettings = field(default_factory=SecretSettings)


def read_settings(path: Path) -> Settings:
    """Read *path*. Raises `ValueInvalid` naming the file and the key."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as exc:
        raise ValueInvalid(f"cannot read {path}: {exc.strerror}") from None
    if len(content) > _LARGEST:
        raise ValueInvalid(f"{path} has more than {_LARGEST} bytes")
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise ValueInvalid(f"{path}: byte {exc.start} is not UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        raise ValueInvalid(f"{path}: not TOML: {exc}") from None
    except RecursionError:
        raise ValueInvalid(f"{path}: nested too deep") from None
    return _Reader(path).settings(document)


class _Reader:
    """Checks one document, key by key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._policies = PolicyReader(self._refuse)

    def settings(self, document: Mapping[str, Any]) -> Settings:
        known = (
            "tools",
            "connections",
            "bind",
            "state",
            "policies",
            "engine",
            "code",
            "isolation",
            "secrets",
        )
        self._known(document, known, "")
        state = self._table(document, "state")
        self._known(state, ("folder", "durability", "keep_days", "blob_threshold"), "state.")
        engine = self._table(document, "engine")
        self._known(engine, ("memory",), "engine.")
        code = self._table(document, "code")
        self._known(code, ("enabled", "sandbox"), "code.")
        isolation = self._table(document, "isolation")
        self._known(isolation, ("cgroup",), "isolation.")
        connections = self._table(document, "connections")
        found = {name: self._connection(name, connections[name]) for name in connections}
        pools = {name: c.pool for name, c in found.items() if c.pool is not None}
        limits = {name: connection.limits for name, connection in found.items()}
        return Settings(
            connections=found,
            bind=self._bind(self._table(document, "bind")),
            tools=self._tools(document.get("tools", [])),
            state_folder=self._text(state.get("folder", ".drawloom"), "state.folder"),
            durability=cast(
                Durability,
                self._one_of(_DURABILITIES, state.get("durability", "full"), "state.durability"),
            ),
            keep_days=self._days(state.get("keep_days", 30)),
            blob_threshold=self._threshold(state.get("blob_threshold")),
            policies=self._policies.policies(document.get("policies", {}), limits, pools),
            code_steps=self._switch(code.get("enabled", False), "code.enabled"),
            sandbox=self._one_of(_SANDBOXES, code.get("sandbox", "auto"), "code.sandbox"),
            cgroup=self._folder(isolation.get("cgroup"), "isolation.cgroup"),
            secrets=read_secrets(self._table(document, "secrets"), self._refuse),
            memory=self._size(engine.get("memory"), "engine.memory"),
        )

    def _connection(self, name: str, table: Any) -> ConnectionSettings:
        key = f"connections.{name}"
        if not NAME.match(name):
            self._refuse(key, "a name has letters, digits, _ and -, and begins with a letter")
        if not isinstance(table, dict):
            self._refuse(key, "must be a table, as in [connections.db]")
        if "kind" not in table:
            advice = did_you_mean("kind", table)
            self._refuse(key, f'kind is missing; write kind = "postgresql", say {advice}'.rstrip())
        kind = self._text(table["kind"], f"{key}.kind")
        settings = {k: v for k, v in table.items() if k not in _SHARED}
        limits = self._policies.limits(name, table.get("limits", {}))
        return ConnectionSettings(name, kind, settings, limits, self._policies.pool(name, table))

    def _bind(self, table: Mapping[str, Any]) -> dict[str, str]:
        return {slot: self._text(name, f"bind.{slot}") for slot, name in table.items()}

    def _tools(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._refuse("tools", 'must be a list of Python files, as in ["tools.py"]')
        files = tuple(self._text(item, "tools") for item in value)
        for file in files:
            if not file.endswith(".py"):
                self._refuse("tools", f"{file!r} is no Python file (.py)")
        return files

    def _one_of(self, known: tuple[str, ...], value: Any, key: str) -> str:
        if value not in known:
            advice = did_you_mean(str(value), known)
            *others, last = known
            self._refuse(key, f"must be {', '.join(others)} or {last} {advice}".rstrip())
        return cast(str, value)

    def _days(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e5:
            self._refuse("state.keep_days", "must be a number of days, from 0 to 99999")
        return float(value)

    def _switch(self, value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            self._refuse(key, "must be true or false")
        return value

    def _size(self, value: Any, key: str) -> int | None:
        try:
            return None if value is None else bytes_of(value)
        except ValueError as exc:
            self._refuse(key, str(exc))

    def _threshold(self, value: Any) -> int:
        size = self._size(value, "state.blob_threshold")
        if size is not None and not LARGE <= size <= _MOST_INLINE:
            self._refuse("state.blob_threshold", "must be from 16384 bytes to 64MB")
        return THRESHOLD if size is None else size

    def _folder(self, value: Any, key: str) -> str | None:
        if value is not None and not self._text(value, key).startswith("/"):
            self._refuse(key, "must be a whole path, as in /sys/fs/cgroup/loom")
        return cast("str | None", value)

    def _table(self, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        table = document.get(key, {})
        if not isinstance(table, dict):
            self._refuse(key, f"must be a table, as in [{key}]")
        return cast(Mapping[str, Any], table)

    def _text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value:
            self._refuse(key, "must be a text")
        return value

    def _known(self, table: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in known:
                advice = did_you_mean(key, known) or f"known: {', '.join(known)}"
                self._refuse(f"{prefix}{key}", f"there is no such key; {advice}")

    def _refuse(self, key: str, message: str) -> NoReturn:
        raise ValueInvalid(f"{self._path}: {key}: {message}")
