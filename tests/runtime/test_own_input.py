"""A tool of one's own may change what it is given; a promise not to saves the copy."""

from typing import Any

import pytest

from drawloom import Connector, Context, tool
from drawloom.runtime import Prepared


def seen(readonly: bool) -> Any:
    @tool(effect="pure", inline=True, readonly_input=readonly, name="my.same")
    def same(rows: list[Any], n: int = 1) -> Any:
        """Give back what came in."""
        return rows

    rows = [{"a": [1]}]
    return rows, Prepared(same).begin(None, {"rows": rows}, Context())


def test_lists_and_objects_are_copies_all_the_way_down() -> None:
    rows, given = seen(readonly=False)

    assert rows == given
    assert given is not rows and given[0] is not rows[0] and given[0]["a"] is not rows[0]["a"]


def test_who_promises_not_to_change_them_gets_the_very_values() -> None:
    rows, given = seen(readonly=True)

    assert given is rows


@pytest.mark.parametrize("effect", ["pure", "once"])
def test_a_connectors_tools_have_promised(effect: Any) -> None:
    connector = Connector("lab")

    @connector.tool(effect=effect)
    async def look(rows: list[Any]) -> int:
        """Count."""
        return len(rows)

    assert look.readonly_input
