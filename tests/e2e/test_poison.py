"""A tool that kills its process ends its run, not the project."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.policies.retry import LOSSES_AT_MOST

pytestmark = pytest.mark.slow  # real processes, one after another


def test_a_tool_that_kills_every_process_is_given_up(stranger: Any) -> None:
    """Each loss counts, so it has to be on disk before the call is made again."""
    stranger.writes(
        "kills.yaml",
        "chain: kills\nsteps:\n  a: {use: my.first}\n"
        '  b: {use: my.kills, with: {after: "${steps.a}"}}\n',
    )
    stranger.writes("fine.yaml", "chain: fine\nsteps: {a: {use: my.first}}\n")
    assert stranger.types("run", "kills.yaml", "--id", "killer").code == 9
    for _ in range(3 * LOSSES_AT_MOST):
        if stranger.types("run", "fine.yaml").code == 0:
            break
    else:
        pytest.fail("every process is killed")
    shown = stranger.types("runs", "show", "killer", "--json").json
    assert (shown["status"], shown["failure"]["kind"]) == ("failed", "lost")
    assert stranger.count("killed") == LOSSES_AT_MOST + 1
