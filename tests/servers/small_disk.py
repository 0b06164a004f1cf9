"""A file system of a few megabytes, for a disk that is full.

To mount one takes a right that a machine may not give: then the test is skipped, even where
the whole of the tests is promised.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MEGABYTES = 8


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """An empty one, into which everybody may write."""
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        place = Path(name)
        place.chmod(0o755)  # the servers have users of their own
        with _mounted(place):
            yield place


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m,mode=1777", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NO SMALL DISK: this test did not run: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
