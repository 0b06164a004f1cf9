"""Files in the database: there and back, bounded, in revisions, once."""

from __future__ import annotations

import base64

import pytest

from drawloom.connectors.databases.mongodb.gridfs import gridfs_upload_stream
from drawloom.errors import FailureKind
from drawloom.sdk import Context, Stream

FIVE_MB = bytes(range(256)) * (5 * 1024 * 4)


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture
def settings():
    return {"folder": ".", "max_bytes": 8 << 20}


async def test_a_file_comes_back_with_what_is_beside_it(db):
    metadata = {"kind": "report", "at": {"$date": "2026-01-01T00:00:00Z"}}
    done = await db("gridfs_upload", name="a.bin", content=text(FIVE_MB), metadata=metadata)
    assert (done["name"], done["bytes"]) == ("a.bin", len(FIVE_MB))
    found = await db("gridfs_download", name="a.bin")
    assert found == {**done, "content": text(FIVE_MB), "metadata": metadata}


async def test_revisions_are_counted_from_both_ends(db):
    for content in (b"one", b"two", b""):
        await db("gridfs_upload", name="a", content=text(content))
    for revision, content in [(0, b"one"), (1, b"two"), (-1, b""), (-2, b"two"), (-3, b"one")]:
        found = await db("gridfs_download", name="a", revision=revision)
        assert found["content"] == text(content), revision
    failure = await db.failure("gridfs_download", name="a", revision=3)
    assert failure.kind is FailureKind.MISSING
    listed = await db("gridfs_list", filter={"filename": {"$eq": "a"}})
    assert [one["length"] for one in listed["files"]] == [3, 3, 0]
    assert (await db("gridfs_list", limit=2))["truncated"] is True


async def test_a_delete_leaves_nothing(db, raw):
    done = await db("gridfs_upload", name="a", content=text(b"x"))
    for deleted in (True, False):
        assert await db("gridfs_delete", id=done["id"]) == {"deleted": deleted}
    assert raw["fs.files"].count_documents({}) == raw["fs.chunks"].count_documents({}) == 0


@pytest.mark.parametrize("settings", [{"max_bytes": 10}])
async def test_a_file_that_is_too_large_for_a_value(db):
    await db("gridfs_upload", name="a", content=text(b"x" * 11))
    failure = await db.failure("gridfs_download", name="a")
    assert failure.kind is FailureKind.INVALID
    assert "max_bytes" in failure.message
    failure = await db.failure("gridfs_upload_file", path="a")
    assert (failure.kind, "`folder`" in failure.message) == (FailureKind.INVALID, True)


async def test_a_file_of_the_folder_there_and_back(db, tmp_path):
    (tmp_path / "in.bin").write_bytes(FIVE_MB)
    done = await db("gridfs_upload_file", path="in.bin", bucket="pics")
    assert (done["name"], done["bytes"]) == ("in.bin", len(FIVE_MB))
    await db("gridfs_download_file", name="in.bin", path="out/a.bin", bucket="pics")
    assert (tmp_path / "out/a.bin").read_bytes() == FIVE_MB
    for path in ("nowhere.bin", "../in.bin"):
        failure = await db.failure("gridfs_upload_file", path=path)
        assert failure.kind in (FailureKind.MISSING, FailureKind.INVALID, FailureKind.DENIED)


@pytest.mark.parametrize("batch", [1, 5, 100])
async def test_a_file_as_a_stream_of_pieces(db, batch):
    await db("gridfs_upload", name="a", content=text(FIVE_MB))
    chunks = await db.read("gridfs_stream", batch, name="a")
    pieces = [piece for chunk in chunks for piece in chunk]
    assert b"".join(map(base64.b64decode, pieces)) == FIVE_MB
    done = await db.taking("gridfs_upload_stream", name="b", pieces=pieces)
    assert done["bytes"] == len(FIVE_MB)
    assert (await db("gridfs_download", name="b"))["content"] == text(FIVE_MB)


async def test_a_file_without_all_its_pieces_is_an_error(db, raw):
    await db("gridfs_upload", name="a", content=text(FIVE_MB))
    raw["fs.chunks"].delete_one({"n": 3})
    with pytest.raises(Exception, match="lacks its piece"):
        await db.read("gridfs_stream", name="a")
    assert (await db.failure("gridfs_download", name="a")).kind is FailureKind.CONFLICT


async def test_the_same_key_stores_once(db, raw):
    given = {"name": "a", "content": text(b"x" * 300_000)}
    first = await db("gridfs_upload", idempotency="k", **given)
    # As after a crash in the middle: pieces, and no description of the file.
    raw["fs.files"].delete_many({})
    for _ in range(2):
        assert await db("gridfs_upload", idempotency="k", **given) == first
    assert (raw["fs.files"].count_documents({}), raw["fs.chunks"].count_documents({})) == (1, 2)


async def test_a_source_that_breaks_leaves_nothing(db, raw):
    async def broken():
        yield [text(b"x" * 600_000)]
        raise ConnectionError("the source is gone")

    with pytest.raises(ConnectionError):
        await gridfs_upload_stream(db.client, name="a", pieces=Stream(broken()), context=Context())
    assert raw["fs.files"].count_documents({}) == raw["fs.chunks"].count_documents({}) == 0


async def test_what_is_no_base64_is_refused(db):
    failure = await db.failure("gridfs_upload", name="a", content="not base64!")
    assert (failure.kind, "content" in failure.message) == (FailureKind.INVALID, True)
