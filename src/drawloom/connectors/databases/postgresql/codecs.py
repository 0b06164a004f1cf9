"""How the scalar types of PostgreSQL travel: exact in both directions.

A codec per type, installed on each connection, so that scalars inside arrays,
composites and ranges are treated alike. Encoders take what a chain has and
raise ValueError with the reason; the driver adds the parameter's number.
"""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from drawloom.connectors.databases.postgresql import numbers, times
from drawloom.sdk import Json
from drawloom.sdk.encoding import read_json, write_json


class Codec(NamedTuple):
    """One type: its name in pg_catalog, how it is written and read."""

    type: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Json]
    format: Literal["text", "binary", "tuple"]


async def install(connection: Any) -> None:
    """Teach *connection* every codec. It costs one catalogue look-up for each."""
    for codec in CODECS:
        await connection.set_type_codec(
            codec.type,
            schema="pg_catalog",
            encoder=codec.encode,
            decoder=codec.decode,
            format=codec.format,
        )


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("expected a text")


def _bytes_in(value: Json) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _bytes_out(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _uuid_in(value: Json) -> bytes:
    return uuid.UUID(_text(value)).bytes


def _uuid_out(data: bytes) -> str:
    return str(uuid.UUID(bytes=data))


def _json_in(value: Json) -> bytes:
    return write_json(value).encode()


def _jsonb_in(value: Json) -> bytes:
    return b"\x01" + write_json(value).encode()  # the version of the format, the only one


def _jsonb_out(data: bytes) -> Json:
    return read_json(data[1:])


def _bits_in(value: Json) -> bytes:
    text = _text(value)
    if text.strip("01"):
        raise ValueError("bits are a text of 0 and 1")
    padded = text + "0" * (-len(text) % 8)
    packed = int(padded, 2).to_bytes(len(padded) // 8, "big") if padded else b""
    return struct.pack(">i", len(text)) + packed


def _bits_out(data: bytes) -> str:
    count = struct.unpack_from(">i", data)[0]
    return "".join(f"{byte:08b}" for byte in data[4:])[:count]


# Types whose own text is the clearest form they have.
_AS_TEXT = (
    *("point", "line", "lseg", "box", "path", "polygon", "circle"),
    *("tid", "pg_lsn", "txid_snapshot", "pg_snapshot"),
)

CODECS: tuple[Codec, ...] = (
    *(Codec(name, *pair, "binary") for name, pair in numbers.CODECS.items()),
    *(Codec(name, *pair, "tuple") for name, pair in times.CODECS.items()),
    *(Codec(name, _text, str, "text") for name in _AS_TEXT),
    Codec("bytea", _bytes_in, _bytes_out, "binary"),
    Codec("uuid", _uuid_in, _uuid_out, "binary"),
    Codec("json", _json_in, read_json, "binary"),
    Codec("jsonb", _jsonb_in, _jsonb_out, "binary"),
    Codec("bit", _bits_in, _bits_out, "binary"),
    Codec("varbit", _bits_in, _bits_out, "binary"),
)
