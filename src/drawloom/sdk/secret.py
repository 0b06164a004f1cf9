"""A secret that cannot be printed, pickled, compared in the open or turned into JSON."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from drawloom.errors import ConnectionUnusable

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

#: Where a secret may be kept, and what its name is there.
KINDS: Final[Mapping[str, str]] = {
    "env": "NAME",
    "file": "PATH",
    "vault": "NAME",
    "hashicorp": "PATH#FIELD",
}
_LARGEST_FILE = 64 * 1024
_FORMS: Final = ", ".join(f"{{{kind}: {name}}}" for kind, name in KINDS.items())


class Secret:
    """A reference to a secret, such as `{env: NAME}`; the value is read when it is opened.

    Only the reference is ever stored, shown or written. `open_secret` gives
    the value, and is called inside a connection's `open` alone.
    """

    __slots__ = ("_kind", "_name", "_value")

    def __init__(self, **reference: str) -> None:
        [(kind, name)] = reference.items() if len(reference) == 1 else [("", "")]
        if kind not in KINDS or not name:
            raise ValueError(f"a secret is a reference, one of {_FORMS}")
        self._kind = kind
        self._name = name
        self._value: str | None = None

    @property
    def reference(self) -> dict[str, str]:
        """Where the value is kept, which is no secret."""
        return {self._kind: self._name}

    def hand(self, value: str) -> None:
        """Give this instance its value; for whatever fetches it from where it is kept."""
        self._value = value

    def open_secret(self) -> str:
        """The value itself. Raises `ConnectionUnusable` where it is not there."""
        if self._value is not None:
            return self._value
        if self._kind in ("vault", "hashicorp"):
            raise ConnectionUnusable(
                f"the secret {self._name!r} is in a vault, which this process has not opened"
            )
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
            "description": "A secret by reference: where it is kept.",
            "properties": {kind: {"type": "string"} for kind in KINDS},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }

    @classmethod
    def _from_settings(cls, given: object) -> Secret:
        if isinstance(given, Secret):
            return cls(**given.reference)  # what one instance was handed is its own
        if isinstance(given, Mapping) and len(given) == 1:
            [(kind, name)] = given.items()
            if kind in KINDS and isinstance(name, str) and name:
                return cls(**{kind: name})
        # The value itself is never repeated: it may be a password typed in clear.
        raise ValueError(f"write a reference, one of {_FORMS}, never the secret itself")


def secrets_in(settings: Any, at: str = "") -> Iterator[tuple[str, Secret]]:
    """Every secret of *settings* (a model), with the path of its field, as in `auth.token`."""
    if isinstance(settings, Secret):
        yield at, settings
    elif isinstance(settings, (list, tuple)):
        for number, inner in enumerate(settings):
            yield from secrets_in(inner, f"{at}.{number}")
    elif isinstance(settings, Mapping) or hasattr(type(settings), "model_fields"):
        pairs = settings.items() if isinstance(settings, Mapping) else iter(settings)
        for name, inner in pairs:
            yield from secrets_in(inner, f"{at}.{name}" if at else str(name))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as exc:
        raise ConnectionUnusable(f"cannot read the secret file {path}: {exc.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise ConnectionUnusable(f"the secret file {path} is over {_LARGEST_FILE} bytes")
    return content.decode().rstrip("\r\n")
