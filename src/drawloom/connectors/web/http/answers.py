"""What came back, as a value that a chain can read."""

from __future__ import annotations

import asyncio
import codecs
from base64 import b64encode
from email.message import Message
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from drawloom.sdk import Json, invalid
from drawloom.sdk.doors import Answer

BodyType: TypeAlias = Literal["json", "text", "base64"]
ReadAs: TypeAlias = Literal["auto", "json", "text", "base64"]

# Reading this much JSON takes milliseconds, in which nothing else would run.
_LARGE = 256 * 1024


class Response(TypedDict):
    """A whole answer.

    `headers` have lower-case names; several of one name are joined by commas
    (RFC 9110, 5.3), except Set-Cookie, whose lines are in `cookies`. `body` is
    the JSON value, the text, or base64, as `body_type` says; null where there
    is none. `url` is the address that answered, without credentials.
    """

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: Json
    body_type: BodyType
    url: str


async def response(answer: Answer, read_as: ReadAs = "auto") -> Response:
    """*answer* as a value. Raises `ValueInvalid` or `ToolError` where the body cannot be read."""
    kind = _body_type(answer) if read_as == "auto" else read_as
    return {
        "status": answer.status,
        "headers": _headers(answer),
        "cookies": [value for name, value in answer.headers if name == "set-cookie"],
        "body": await _body(answer, kind) if answer.body else None,
        "body_type": kind,
        "url": answer.url,
    }


async def json_body(answer: Answer) -> Json:
    """The body as strict I-JSON; a large one is read in a thread."""
    from drawloom.sdk.encoding import read_json

    source = f"the answer of {answer.url}"
    if len(answer.body) > _LARGE:
        return await asyncio.to_thread(read_json, answer.body, source=source)
    return read_json(answer.body, source=source)


async def _body(answer: Answer, kind: BodyType) -> Json:
    if kind == "json":
        return await json_body(answer)
    if kind == "text":
        return _text(answer)
    return b64encode(answer.body).decode()


def _headers(answer: Answer) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in answer.headers:
        if name != "set-cookie":
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _body_type(answer: Answer) -> BodyType:
    """By the content type; without one, text where the body is UTF-8."""
    kind = _content_type(answer).get_content_type() if answer.header("content-type") else ""
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    if kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/javascript", "/yaml")):
        return "text"
    if kind == "application/x-www-form-urlencoded":
        return "text"
    return "base64" if kind or not _is_utf8(answer.body) else "text"


def _content_type(answer: Answer) -> Message:
    message = Message()
    message["Content-Type"] = answer.header("content-type") or ""
    return message


def _charset(answer: Answer) -> str:
    name = _content_type(answer).get_content_charset("utf-8")
    try:
        "".encode(codecs.lookup(name).name)
    except (LookupError, ValueError):
        raise invalid(f"{answer.url} answered in an unknown charset {name[:60]!r}") from None
    return name


def _text(answer: Answer) -> str:
    charset = _charset(answer)
    try:
        return answer.body.decode("utf-8-sig" if charset == "utf-8" else charset)
    except UnicodeDecodeError as exc:
        raise invalid(
            f"{answer.url} says its text is {charset}, but byte {exc.start} is not; "
            "read it with `read_as: base64`"
        ) from None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
