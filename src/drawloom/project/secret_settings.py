"""`[secrets]` of `drawloom.toml`: where the root key is, and a vault outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, NoReturn, cast

from drawloom.chains.findings import did_you_mean
from drawloom.doors import Reach
from drawloom.sdk import Secret
from drawloom.vault import Hashicorp
from drawloom.vault.root_key import FILE

_PLACES: Final = ("file", "keyring")
_KNOWN: Final = ("root_key", "root_key_file", "hashicorp")
_SERVER: Final = tuple(field.name for field in fields(Hashicorp))
_SECRET: Final = ("token", "secret_id")
_KEPT_HERE: Final = ("env", "file")  # a vault cannot hold what opens it


@dataclass(frozen=True, slots=True)
class SecretSettings:
    """Where the root key is kept, and how an outside vault is reached."""

    root_key: Literal["file", "keyring"] = "file"
    root_key_file: str = FILE
    hashicorp: Hashicorp | None = None


def read_secrets(
    table: Mapping[str, Any], refuse: Callable[[str, str], NoReturn]
) -> SecretSettings:
    """The settings that *table* gives; what is wrong is said to *refuse*, by its key."""
    reader = _Reader(refuse)
    reader.known(table, _KNOWN, "secrets.")
    place = table.get("root_key", "file")
    if place not in _PLACES:
        refuse("secrets.root_key", f"must be {' or '.join(_PLACES)}")
    file = reader.text(table, "root_key_file", "secrets.") or FILE
    server = reader.server(table["hashicorp"]) if "hashicorp" in table else None
    return SecretSettings(cast(Literal["file", "keyring"], place), file, server)


class _Reader:
    def __init__(self, refuse: Callable[[str, str], NoReturn]) -> None:
        self._refuse = refuse

    def server(self, table: Any) -> Hashicorp:
        at = "secrets.hashicorp"
        if not isinstance(table, dict):
            self._refuse(at, f"must be a table, as in [{at}]")
        self.known(table, _SERVER, f"{at}.")
        given: dict[str, Any] = {
            name: self.text(table, name, f"{at}.") for name in table if name not in _SECRET
        }
        given |= {
            name: self._secret(table[name], f"{at}.{name}") for name in _SECRET if name in table
        }
        if "address" not in given:
            self._refuse(at, 'address is missing; write address = "https://host:8200"')
        if not ("token" in given or {"role_id", "secret_id"} <= given.keys()):
            self._refuse(at, "needs a token, or role_id and secret_id")
        if "network" in given:
            given["network"] = self._network(given["network"], f"{at}.network")
        return Hashicorp(**given)

    def text(self, table: Mapping[str, Any], name: str, prefix: str) -> str | None:
        value = table.get(name)
        if value is not None and not (isinstance(value, str) and value):
            self._refuse(f"{prefix}{name}", "must be a text")
        return value

    def known(self, table: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in known:
                advice = did_you_mean(key, known) or f"known: {', '.join(known)}"
                self._refuse(f"{prefix}{key}", f"there is no such key; {advice}")

    def _secret(self, value: Any, key: str) -> Secret:
        if isinstance(value, dict) and len(value) == 1:
            [(kind, name)] = value.items()
            if kind in _KEPT_HERE and isinstance(name, str) and name:
                return Secret(**{kind: name})
        self._refuse(key, "write a reference, {env = NAME} or {file = PATH}, never the secret")

    def _network(self, value: str, key: str) -> Reach:
        if value not in list(Reach):
            self._refuse(key, f"must be {' or '.join(Reach)}")
        return Reach(value)
