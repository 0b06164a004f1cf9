"""The ways to prove who asks: typed fields, their secrets by reference."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from drawloom.sdk import Secret
from drawloom.sdk.doors import Credential

_SETTINGS = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class NoAuth(BaseModel):
    """No credentials."""

    model_config = _SETTINGS
    type: Literal["none"] = "none"

    def credential(self) -> Credential:
        """Nothing to prove."""
        return Credential()


class BearerAuth(BaseModel):
    """A bearer token (RFC 6750)."""

    model_config = _SETTINGS
    type: Literal["bearer"]
    token: Secret

    def credential(self) -> Credential:
        """Open the token."""
        return Credential(headers=(("Authorization", f"Bearer {self.token.open_secret()}"),))


class BasicAuth(BaseModel):
    """A user and a password (RFC 7617, in UTF-8)."""

    model_config = _SETTINGS
    type: Literal["basic"]
    user: Annotated[str, Field(pattern="^[^:]*$", description="Without a colon.")]
    password: Secret

    def credential(self) -> Credential:
        """Open the password."""
        pair = f"{self.user}:{self.password.open_secret()}".encode()
        return Credential(headers=(("Authorization", f"Basic {b64encode(pair).decode()}"),))


class KeyAuth(BaseModel):
    """An API key in a header, or in the query."""

    model_config = _SETTINGS
    type: Literal["api_key"]
    key: Secret
    place: Annotated[Literal["header", "query"], Field(alias="in")] = "header"
    name: Annotated[str, Field(min_length=1, description="Of the header or parameter.")] = (
        "X-API-Key"
    )

    def credential(self) -> Credential:
        """Open the key."""
        pair = ((self.name, self.key.open_secret()),)
        return Credential(headers=pair) if self.place == "header" else Credential(query=pair)


Auth: TypeAlias = Annotated[NoAuth | BearerAuth | BasicAuth | KeyAuth, Field(discriminator="type")]
