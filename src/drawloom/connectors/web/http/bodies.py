"""What is sent: one of five kinds of body, as bytes and a content type."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Annotated, Any, NotRequired, TypeAlias
from urllib.parse import urlencode

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from drawloom.sdk import Json, ToolError, invalid

Scalar: TypeAlias = str | int | float | bool
Fields: TypeAlias = dict[str, Scalar | list[Scalar]]


@with_config(ConfigDict(extra="forbid"))
class Part(TypedDict):
    """One part of a multipart body (RFC 7578): a name, and one of text, json and base64."""

    name: str
    text: NotRequired[str]
    json: NotRequired[Json]
    base64: NotRequired[str]
    filename: NotRequired[str]
    content_type: NotRequired[str]


@with_config(ConfigDict(extra="forbid"))
class _Body(TypedDict, total=False):
    """Exactly one of these. A Content-Type in the headers overrides the one that goes with it."""

    json: Json
    form: Fields
    multipart: list[Part]
    text: str
    base64: str


Body: TypeAlias = Annotated[
    _Body, Field(json_schema_extra={"minProperties": 1, "maxProperties": 1})
]


def encoded_body(body: _Body | None) -> tuple[bytes | None, str | None]:
    """The bytes to send, and their content type; (None, None) for no body."""
    if body is None:
        return None, None
    if len(body) != 1:
        raise invalid(
            f"body: give exactly one of json, form, multipart, text and base64, not {list(body)}",
            path="/body",
        )
    [(kind, value)] = body.items()
    return _ENCODERS[kind](value)


def pairs(fields: Fields, where: str) -> list[tuple[str, str]]:
    """Names and texts in order, a list giving its name several times."""
    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            found.append((name, _text(item, f"{where}/{name}")))
    return found


def _text(value: object, where: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return repr(value)
    raise invalid(f"{where}: text, a number or a truth value, not {type(value).__name__}")


def _json(value: Json) -> tuple[bytes, str]:
    from drawloom.sdk.encoding import write_json

    return write_json(value).encode(), "application/json"


def _form(fields: Fields) -> tuple[bytes, str]:
    content = urlencode(pairs(fields, "body/form")).encode()
    return content, "application/x-www-form-urlencoded"


def _plain(text: str) -> tuple[bytes, str]:
    return text.encode(), "text/plain; charset=utf-8"


def _binary(text: str, where: str = "body/base64") -> tuple[bytes, str]:
    try:
        return b64decode(text, validate=True), "application/octet-stream"
    except ValueError as exc:
        raise invalid(f"{where} is not base64 (RFC 4648): {exc}") from None


def _multipart(parts: list[Part]) -> tuple[bytes, str]:
    if not parts:
        raise invalid("body/multipart: give at least one part")
    chunks = [_part(part, f"body/multipart/{number}") for number, part in enumerate(parts)]
    # Made of the content, so that every attempt at a request sends the same
    # bytes, and no part can hold the boundary by chance or on purpose.
    boundary = "drawloom-" + sha256(b"\0".join(chunks)).hexdigest()[:40]
    line = f"--{boundary}".encode()
    content = b"".join(line + b"\r\n" + chunk + b"\r\n" for chunk in chunks) + line + b"--\r\n"
    return content, f"multipart/form-data; boundary={boundary}"


def _part(part: Part, where: str) -> bytes:
    content, content_type = _part_content(part, where)
    head = f'Content-Disposition: form-data; name="{_quoted(part["name"])}"'
    if "filename" in part:
        head += f'; filename="{_quoted(part["filename"])}"'
    if kind := part.get("content_type", content_type):
        if not kind.isascii() or not kind.isprintable():
            raise invalid(f"{where}/content_type holds a line break or odd character")
        head += f"\r\nContent-Type: {kind}"
    return f"{head}\r\n\r\n".encode() + content


def _part_content(part: Part, where: str) -> tuple[bytes, str | None]:
    given = [kind for kind in ("text", "json", "base64") if kind in part]
    match given:
        case ["text"]:
            # Without a type, a part is text; a file says what it is.
            return part["text"].encode(), "text/plain" if "filename" in part else None
        case ["json"]:
            return _json(part["json"])
        case ["base64"]:
            return _binary(part["base64"], f"{where}/base64")
    raise _one_of(where, given)


def _one_of(where: str, given: Sequence[str]) -> ToolError:
    return invalid(f"{where}: give exactly one of text, json and base64, not {list(given)}")


def _quoted(name: str) -> str:
    """As browsers write names in multipart bodies (WHATWG HTML, 4.10.21.8)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


_ENCODERS: dict[str, Callable[[Any], tuple[bytes, str]]] = {
    "json": _json,
    "form": _form,
    "multipart": _multipart,
    "text": _plain,
    "base64": _binary,
}
