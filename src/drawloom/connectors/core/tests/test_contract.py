"""The SDK's contract, kept by the core tools."""

from __future__ import annotations

from drawloom.connectors.core import connector as core
from drawloom.sdk.contract import ConnectorContract

# pydantic warns that a parameter is called like an attribute of its models.


class TestContract(ConnectorContract):
    connector = core


def test_nothing_here_touches_the_outside() -> None:
    """So that any of them may be asked again after a crash. A sub-chain's run is found again."""
    acts = {tool.name for tool in core.tools.values() if not tool.effect.looks_only}
    assert acts == {"core.chain"}


def test_what_may_take_long_does_not_run_on_the_event_loop() -> None:
    inline = {tool.name for tool in core.tools.values() if tool.inline}
    assert inline == {"core.transform", "core.route", "core.fail", "core.log"}
