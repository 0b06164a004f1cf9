"""HashiCorp Vault and OpenBao: a field of a secret of their KV engine, read over HTTP.

Both speak the same API. A reference is the path of the API without `/v1/`, `#` and
the field: `secret/data/db#password` (KV version 2), `kv/db#password` (version 1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from drawloom.doors import Credential, Doors, HttpClient, Limits, Reach, Tls
from drawloom.errors import ConnectionUnusable, ToolError
from drawloom.sdk import Secret

_WITHIN: Final = 10.0  # seconds
_LARGEST: Final = 1 << 20  # bytes
_ADVICE: Final[Mapping[int, str]] = {
    400: "it does not accept the request: check the path and the namespace",
    403: "the token or the role may not read it, or has expired",
    404: "there is nothing there: a path of KV version 2 has `data` behind the mount",
    429: "it is a standby that does not answer, or limits the rate",
    503: "it is sealed, or in maintenance",
}


@dataclass(frozen=True, slots=True)
class Hashicorp:
    """A server and how to sign in: with a *token*, or as an AppRole."""

    address: str
    token: Secret | None = None
    role_id: str | None = None
    secret_id: Secret | None = None
    namespace: str | None = None
    network: Reach = Reach.PUBLIC
    ca_file: str | None = None
    approle: str = field(default="approle")  # where that method is mounted

    async def value(self, reference: str, doors: Doors) -> str:
        """The value that *reference* names. Raises `ConnectionUnusable`, with advice."""
        path, mark, name = reference.rpartition("#")
        if not mark or not path or not name:
            raise ConnectionUnusable(
                f"hashicorp = {reference!r}: write PATH#FIELD, as in secret/data/db#password"
            )
        token = await self._signed_in(doors)
        given = await self._asked(doors, token, "GET", path)
        return _field(given, path, name)

    async def _signed_in(self, doors: Doors) -> str:
        if self.token is not None:
            return self.token.open_secret()
        if self.role_id is None or self.secret_id is None:
            raise ConnectionUnusable("[secrets.hashicorp] needs a token, or role_id and secret_id")
        login = {"role_id": self.role_id, "secret_id": self.secret_id.open_secret()}
        path = f"auth/{self.approle}/login"
        answer = await self._asked(doors, None, "POST", path, json.dumps(login).encode())
        token = (answer.get("auth") or {}).get("client_token")
        if not isinstance(token, str):
            raise ConnectionUnusable(f"{self.address}: the login as AppRole gave no token")
        return token

    async def _asked(
        self, doors: Doors, token: str | None, method: str, path: str, body: bytes | None = None
    ) -> Mapping[str, Any]:
        try:
            async with self._client(doors, token) as client:
                answer = await client.send(method, client.base.target(f"v1/{path}"), body=body)
        except ToolError as exc:
            raise ConnectionUnusable(f"{self.address}: {exc}") from None
        if answer.status != 200:
            why = _ADVICE.get(answer.status, "it does not give it")
            raise ConnectionUnusable(f"{self.address}: {path}: {answer.status}, {why}")
        return _object(answer.body, self.address)

    def _client(self, doors: Doors, token: str | None) -> AbstractAsyncContextManager[HttpClient]:
        named = () if self.namespace is None else (("X-Vault-Namespace", self.namespace),)
        plain = (("X-Vault-Request", "true"), *named)
        headers = () if token is None else (("X-Vault-Token", token),)
        return doors.egress.http(
            self.address,
            reach=self.network,
            credential=Credential(headers=headers, plain=plain),
            limits=Limits(_WITHIN, _LARGEST),
            tls=Tls(ca_file=None if self.ca_file is None else doors.root / self.ca_file),
        )


def _object(body: bytes, address: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConnectionUnusable(f"{address} does not speak the API of HashiCorp Vault")
    return found


def _field(answer: Mapping[str, Any], path: str, name: str) -> str:
    data = answer.get("data")
    if isinstance(data, dict) and data.keys() == {"data", "metadata"}:  # KV version 2
        data = data["data"]
    if not isinstance(data, dict) or name not in data:
        raise ConnectionUnusable(f"hashicorp: {path} has no field {name!r}")
    value = data[name]
    if not isinstance(value, str):
        raise ConnectionUnusable(f"hashicorp: {path}: the field {name!r} is no text")
    return value
