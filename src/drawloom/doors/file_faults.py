"""What the operating system's refusals mean, with the path inside the folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from drawloom.errors import Failure, FailureKind, ToolError

_KINDS = {
    errno.ENOENT: FailureKind.MISSING,
    errno.EACCES: FailureKind.DENIED,
    errno.EPERM: FailureKind.DENIED,
    errno.EROFS: FailureKind.DENIED,
    errno.ELOOP: FailureKind.DENIED,
    errno.ENOTDIR: FailureKind.DENIED,
    errno.EISDIR: FailureKind.INVALID,
    errno.ENAMETOOLONG: FailureKind.INVALID,
    errno.EINVAL: FailureKind.INVALID,
    errno.EEXIST: FailureKind.CONFLICT,
}
# Said in the folder's own terms where the system's words mislead: it calls a
# link in the place of a folder "not a directory".
_WORDS = {
    errno.ELOOP: "a symbolic link is on the way; links are not followed",
    errno.ENOTDIR: "a file or a symbolic link stands where a folder should; links are not followed",
    errno.ENOSPC: "the disk is full; make room and try again",
}


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `ToolError` that names *path*."""
    try:
        yield
    except OSError as exc:
        kind = _KINDS.get(exc.errno or 0, FailureKind.TRANSIENT)
        said = _WORDS.get(exc.errno or 0) or exc.strerror or str(exc)
        raise ToolError(Failure(kind, f"{path!r}: {said}")) from exc


def too_large(path: str, limit: int, size: int | None = None) -> ToolError:
    """The refusal of a file over the limit."""
    what = f"has {size} bytes, over" if size is not None else "passes"
    message = (
        f"{path!r} {what} the limit of {limit} bytes; raise max_bytes of the connection, "
        "or split the file"
    )
    return ToolError(Failure(FailureKind.INVALID, message, details={"max_bytes": limit}))
