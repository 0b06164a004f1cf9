"""GridFS: files of any size in the database, by name, with revisions.

A file comes and goes as base64 (bounded), as a file of the connection's folder, or
as a stream of base64 pieces.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.mongodb.client import checked_name, missing
from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.finding import Filter, filter_for
from drawloom.connectors.databases.mongodb.values import document as stored
from drawloom.connectors.databases.mongodb.values import documents as read_documents
from drawloom.connectors.databases.mongodb.values import from_bson, to_bson
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, Row, Stream, TypedDict
from drawloom.sdk.blocking import in_thread

if TYPE_CHECKING:
    from gridfs.asynchronous import AsyncGridFSBucket

    from drawloom.connectors.databases.mongodb.client import Client

Name = Annotated[str, Field(min_length=1, max_length=1_000, description="The file's name.")]
Bucket = Annotated[str, Field(min_length=1, description="The bucket, which names collections.")]
Revision = Annotated[
    int, Field(description="0 is the first of that name, -1 the newest, -2 the one before.")
]
Metadata = Annotated[Row | None, Field(description="What is kept beside the file.")]
_PIECE = 255 * 1024  # bytes, as the driver cuts files


class Stored(TypedDict):
    """The file as it is kept: its id, and its size in bytes."""

    id: Json
    name: str
    bytes: int


class Content(Stored):
    """A whole file, in base64."""

    content: str
    metadata: Row | None


class Files(TypedDict):
    """Descriptions of files, the oldest first. `truncated` says that `limit` cut them off."""

    files: list[Row]
    count: int
    truncated: bool


class Gone(TypedDict):
    """Whether there was such a file."""

    deleted: bool


@connector.tool(effect="keyed")
async def gridfs_upload(
    client: Client,
    name: Name,
    content: Annotated[str, Field(description="The bytes, in base64.")],
    context: Context,
    metadata: Metadata = None,
    bucket: Bucket = "fs",
) -> Stored:
    """Store bytes as a file; one of the same name stays, as an older revision.

    The file's id is made from the call's own key, so that a call which is made
    again after a crash stores it once.
    """
    pieces = _one(decoded(content, "content"))
    return await _upload(client, name, pieces, context.key, metadata, bucket)


@connector.tool(effect="keyed")
async def gridfs_upload_file(
    client: Client,
    path: Annotated[str, Field(min_length=1, description="A file in the connection's folder.")],
    context: Context,
    name: Annotated[str | None, Field(min_length=1, description="Without it: the path.")] = None,
    metadata: Metadata = None,
    bucket: Bucket = "fs",
) -> Stored:
    """Store a file of the connection's folder, of any size, exactly once."""
    async with in_thread(client.folder.open(path)) as file:
        pieces = _pieces(file)
        return await _upload(client, name or path, pieces, context.key, metadata, bucket)


@connector.tool(effect="keyed")
async def gridfs_upload_stream(
    client: Client,
    name: Name,
    pieces: Stream[str],
    context: Context,
    metadata: Metadata = None,
    bucket: Bucket = "fs",
) -> Stored:
    """Store a stream of base64 pieces as one file, exactly once.

    `mongodb.gridfs_stream` gives such pieces.
    """
    content = _decoded_pieces(pieces)
    return await _upload(client, name, content, context.key, metadata, bucket)


@connector.tool(effect="read")
async def gridfs_download(
    client: Client, name: Name, revision: Revision = -1, bucket: Bucket = "fs"
) -> Content:
    """Give a file as base64; one over the connection's `max_bytes` is an error."""
    found = await described(client, bucket, name, revision)
    most = client.settings.max_bytes
    if found["length"] > most:
        raise invalid(
            f"{name!r} has {found['length']} bytes, more than the connection's max_bytes, {most};"
            " read it with mongodb.gridfs_stream or mongodb.gridfs_download_file"
        )
    source = await _bucket(client, bucket).open_download_stream(found["_id"])
    content = base64.b64encode(await source.read()).decode()
    return {**_stored(found), "content": content, "metadata": from_bson(found.get("metadata"))}


@connector.tool(effect="idempotent")
async def gridfs_download_file(
    client: Client,
    name: Name,
    path: Annotated[str, Field(min_length=1, description="A file in the connection's folder.")],
    revision: Revision = -1,
    bucket: Bucket = "fs",
) -> Stored:
    """Write a file of any size into the connection's folder, replacing what is there.

    It appears whole or not at all.
    """
    found = await described(client, bucket, name, revision)
    source = await _bucket(client, bucket).open_download_stream(found["_id"])
    async with in_thread(client.folder.replace(path)) as file:
        while piece := await source.readchunk():
            await asyncio.to_thread(file.write, piece)
    return _stored(found)


@connector.tool(effect="read")
async def gridfs_stream(
    client: Client,
    name: Name,
    context: Context,
    revision: Revision = -1,
    bucket: Bucket = "fs",
) -> AsyncIterator[Chunk[str]]:
    """Read a file of any size as a stream of base64 pieces, of 255 kB each.

    The cursor is the file's id and the number of the piece: after a crash the same
    revision is read on.
    """
    # The one that was begun with, whatever has been uploaded since.
    after = context.after or {"id": None, "piece": 0}
    if after["id"] is None:
        found = await described(client, bucket, name, revision)
    else:
        found = await _by_id(client, bucket, after["id"])
    chunks = client.database[f"{checked_name(bucket)}.chunks"]
    at, last = after["piece"], -(-found["length"] // found["chunkSize"])
    most = max(1, min(context.batch, 32))  # 8 MB
    while at < last:
        asked = {"files_id": found["_id"], "n": {"$gte": at, "$lt": min(at + most, last)}}
        some = await chunks.find(asked, sort=[("n", 1)]).to_list()
        if [one["n"] for one in some] != list(range(at, min(at + most, last))):
            raise invalid(f"the file {name!r} lacks its piece {at}, or one soon after it")
        at += len(some)
        pieces = [base64.b64encode(one["data"]).decode() for one in some]
        yield Chunk(pieces, {"id": from_bson(found["_id"]), "piece": at})


@connector.tool(effect="read")
async def gridfs_list(
    client: Client,
    filter: Filter = None,
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1_000,
    bucket: Bucket = "fs",
) -> Files:
    """List files, the oldest first; a filter on `filename` gives the revisions of one."""
    cursor = client.database[f"{checked_name(bucket)}.files"].find(
        filter_for(client, filter), sort=[("uploadDate", 1), ("_id", 1)], limit=limit + 1
    )
    found = read_documents(await cursor.to_list())
    files = found[:limit]
    return {"files": files, "count": len(files), "truncated": len(found) > limit}


@connector.tool(effect="idempotent")
async def gridfs_delete(
    client: Client,
    id: Annotated[Json, Field(description='The file\'s id, such as {"$oid": …}.')],
    bucket: Bucket = "fs",
) -> Gone:
    """Delete one revision of a file by its id; no error where there is none."""
    name = checked_name(bucket)
    key = {"$eq": to_bson(id, "id")}
    done = await client.database[f"{name}.files"].delete_one({"_id": key})
    # Pieces without a file are what an earlier attempt may have left.
    await client.database[f"{name}.chunks"].delete_many({"files_id": key})
    return {"deleted": done.deleted_count > 0}


def _bucket(client: Client, name: str) -> AsyncGridFSBucket:
    from gridfs.asynchronous import AsyncGridFSBucket

    return AsyncGridFSBucket(client.database, bucket_name=checked_name(name))


async def _upload(
    client: Client,
    name: str,
    pieces: AsyncIterator[bytes],
    key: str,
    metadata: Row | None,
    bucket: str,
) -> Stored:
    """Write the pieces, then the file's description: what is described is whole."""
    from bson import ObjectId

    kept = None if metadata is None else stored(metadata, "metadata")
    target = _bucket(client, bucket)
    file_id = ObjectId(sha256(f"{key}:file".encode()).digest()[:12]) if key else ObjectId()
    if key:
        there = await client.database[f"{bucket}.files"].find_one({"_id": file_id})
        if there is not None:
            return _stored(there)
        await client.database[f"{bucket}.chunks"].delete_many({"files_id": file_id})
    writer = target.open_upload_stream_with_id(file_id, name, metadata=kept)
    size = 0
    try:
        async for piece in pieces:
            await writer.write(piece)
            size += len(piece)
    except BaseException:
        await writer.abort()
        raise
    await writer.close()
    return {"id": from_bson(file_id), "name": name, "bytes": size}


async def described(client: Client, bucket: str, name: str, revision: int) -> dict[str, Any]:
    """The document that describes a file. Raises `ToolError` (missing)."""
    up = revision >= 0
    cursor = client.database[f"{checked_name(bucket)}.files"].find(
        {"filename": {"$eq": name}},
        sort=[("uploadDate", 1 if up else -1)],
        skip=revision if up else -revision - 1,
        limit=1,
    )
    found = await cursor.to_list()
    if not found:
        raise missing(f"there is no file {name!r:.200} with the revision {revision}")
    return found[0]


async def _by_id(client: Client, bucket: str, id: Any) -> dict[str, Any]:
    files = client.database[f"{checked_name(bucket)}.files"]
    found = await files.find_one({"_id": to_bson(id, "cursor")})
    if found is None:
        raise missing("the file has been deleted since it was begun to be read")
    return found


def _stored(found: dict[str, Any]) -> Stored:
    size = int(found["length"])
    return {"id": from_bson(found["_id"]), "name": found["filename"], "bytes": size}


def decoded(text: str, where: str) -> bytes:
    """The bytes. Raises `ToolError` (invalid) naming the place."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid(f"{where}: it is no base64: {exc}") from None


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _pieces(file: Any) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, 4 * _PIECE):
        yield piece


async def _decoded_pieces(pieces: Stream[str]) -> AsyncIterator[bytes]:
    number = 0
    async for piece in pieces:
        yield decoded(piece, f"pieces[{number}]")
        number += 1
