"""What the tools of GridFS would do: sizes of files, and how many there are; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mongodb import gridfs
from drawloom.connectors.databases.mongodb.client import checked_name, missing
from drawloom.connectors.databases.mongodb.finding import filter_for
from drawloom.connectors.databases.mongodb.planning import counted
from drawloom.connectors.databases.mongodb.values import to_bson
from drawloom.sdk import Json, Row
from drawloom.sdk.planning import Does, Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client


@gridfs.gridfs_upload.plan
async def _upload(
    client: Client, name: str, content: str, bucket: str = "fs", **_: Any
) -> list[Touch]:
    return [_kept(name, bucket, len(gridfs.decoded(content, "content")))]


@gridfs.gridfs_upload_stream.plan
async def _upload_stream(client: Client, name: str, bucket: str = "fs", **_: Any) -> list[Touch]:
    return [_kept(name, bucket, None)]


@gridfs.gridfs_upload_file.plan
async def _upload_file(
    client: Client, path: str, name: str | None = None, bucket: str = "fs", **_: Any
) -> list[Touch]:
    found = client.folder.find(path)
    if found is None:
        raise missing(f"there is no file {path!r} in the folder now")
    read = Touch("reads", f"bytes of {path}", found.bytes)
    return [read, _kept(name or path, bucket, found.bytes)]


def _kept(name: str, bucket: str, size: int | None) -> Touch:
    return Touch("creates", f"bytes of the file {name} in {checked_name(bucket)}", size)


@gridfs.gridfs_download.plan
@gridfs.gridfs_stream.plan
async def _download(
    client: Client, name: str, revision: int = -1, bucket: str = "fs", **_: Any
) -> list[Touch]:
    found = await gridfs.described(client, bucket, name, revision)
    return [Touch("reads", f"bytes of the file {name} in {bucket}", int(found["length"]))]


@gridfs.gridfs_download_file.plan
async def _download_file(
    client: Client, name: str, path: str, revision: int = -1, bucket: str = "fs"
) -> list[Touch]:
    [read] = await _download(client, name, revision, bucket)
    does: Does = "creates" if client.folder.find(path) is None else "changes"
    return [read, Touch(does, f"bytes of {path} in the folder", read.count)]


@gridfs.gridfs_list.plan
async def _list(
    client: Client, filter: Row | None = None, limit: int = 1_000, bucket: str = "fs"
) -> list[Touch]:
    fitting = filter_for(client, filter)
    return [await counted(client, "reads", f"{checked_name(bucket)}.files", fitting, limit)]


@gridfs.gridfs_delete.plan
async def _delete(client: Client, id: Json, bucket: str = "fs") -> list[Touch]:
    name, key = checked_name(bucket), {"$eq": to_bson(id, "id")}
    return [
        await counted(client, "deletes", f"{name}.files", {"_id": key}, 1),
        await counted(client, "deletes", f"{name}.chunks", {"files_id": key}),
    ]
