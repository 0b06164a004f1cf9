"""A real control group (cgroup v2) for a test, where this machine gives one.

Most machines give none to a process that is not a service of theirs, so that it is skipped
even where the whole of the tests is promised. `DRAWLOOM_TEST_CGROUP` names one to use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawloom.runtime.isolation import cgroups


@pytest.fixture
def control_group() -> Iterator[Path]:
    """One to make others in; it is gone afterwards, with all in it."""
    path = _parent() / f"drawloom-tests-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as exc:
        pytest.skip(f"NO CONTROL GROUP: these tests did not run: {path.parent}: {exc.strerror}")
    yield path
    made = cgroups.Group(path)
    made.kill()
    made.wait_until_empty()
    made.remove()
    assert not path.exists()


@pytest.fixture
def limiting_control_group(control_group: Path) -> Path:
    """One in which memory and processes can be limited."""
    nest = cgroups.Nest(str(control_group))
    nest.close()
    if nest.missing:
        pytest.skip(f"NO CONTROL GROUP WITH {', '.join(nest.missing)}: these tests did not run")
    return control_group


def _parent() -> Path:
    if named := os.environ.get("DRAWLOOM_TEST_CGROUP"):
        cgroups._enabled(Path(named))
        return Path(named)
    try:
        return cgroups.home(None)
    except cgroups.CgroupsUnusable as exc:
        if "0::/\n" not in Path("/proc/self/cgroup").read_text() or os.getuid() != 0:
            pytest.skip(f"NO CONTROL GROUP: these tests did not run: {exc}")
    return cgroups._mounted()  # all of it is ours: no manager has put us into one
