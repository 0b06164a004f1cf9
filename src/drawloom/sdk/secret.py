"""A secret that cannot be printed, pickled, compared in the open or turned into JSON."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from drawloom.errors import ConnectionUnusable

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_LARGEST_FILE = 64 * 1024


class Secret:
    """A reference to a secret: `{env: NAME}` or `{file: PATH}`; the value is read when opened.

    Only the reference is ever stored, shown or written. `open_secret` gives
    the value, and is called inside a connection's `open` alone.
    """

    __slots__ = ("_kind", "_name")

    def __init__(self, *, env: str | None = None, file: str | None = None) -> None:
        if (env is None) == (file is None):
            raise ValueError("a secret is a reference: either {env: NAME} or {file: PATH}")
        self._kind = "env" if env is not None else "file"
        self._name = env or file or ""

    @property
    def reference(self) -> dict[str, str]:
        """Where the value is kept, which is no secret."""
        return {self._kind: self._name}

    def open_secret(self) -> str:
        """The value itself. Raises `ConnectionUnusable` where it is not there."""
        if self._kind == "env":
            value = os.environ.get(self._name)
            if value is None:
                raise ConnectionUnusable(
                    f"the environment variable {self._name} is not set; export it and try again"
                )
            return value
        return _read(Path(self._name))

    def __repr__(self) -> str:
        return f"Secret({self._kind}={self._name!r})"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            repr(self).encode(), repr(other).encode()
        )

    def __hash__(self) -> int:
        return hash((self._kind, self._name))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._from_settings,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: secret.reference
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "object",
            "description": "A secret by reference: an environment variable or a file.",
            "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }

    @classmethod
    def _from_settings(cls, given: object) -> Secret:
        if isinstance(given, Secret):
            return given
        if isinstance(given, Mapping) and len(given) == 1:
            [(kind, name)] = given.items()
            if kind in ("env", "file") and isinstance(name, str) and name:
                return cls(**{kind: name})
        # The value itself is never repeated: it may be a password typed in clear.
        raise ValueError("write a reference, {env: NAME} or {file: PATH}, never the secret itself")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as exc:
        raise ConnectionUnusable(f"cannot read the secret file {path}: {exc.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise ConnectionUnusable(f"the secret file {path} is over {_LARGEST_FILE} bytes")
    return content.decode().rstrip("\r\n")
