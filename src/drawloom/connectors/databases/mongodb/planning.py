"""What the tools would do, by asking the server how many documents fit; nothing is changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mongodb import changing, finding
from drawloom.connectors.databases.mongodb.finding import filter_for
from drawloom.sdk import Row
from drawloom.sdk.planning import Does, Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

_FAR = 100_000  # documents; beyond, nobody needs to know exactly before a run


def _planner(does: Does, most: int = _FAR) -> Callable[..., Awaitable[list[Touch]]]:
    """A planner that counts what fits `filter`, up to what the tool would touch."""

    async def plan(
        client: Client, collection: str, filter: Row | None = None, **_: Any
    ) -> list[Touch]:
        target = client.collection(collection)
        found = await target.count_documents(filter_for(client, filter), limit=most)
        return [Touch(does, f"documents of {collection}", found, estimated=found == _FAR)]

    return plan


for _tool in (finding.find, finding.count, finding.distinct):
    _tool.plan(_planner("reads"))
finding.find_one.plan(_planner("reads", 1))
changing.update_many.plan(_planner("changes"))
changing.delete_many.plan(_planner("deletes"))
for _tool in (changing.update_one, changing.replace_one):
    _tool.plan(_planner("changes", 1))
for _tool in (changing.find_one_and_update, changing.find_one_and_replace):
    _tool.plan(_planner("changes", 1))
for _tool in (changing.delete_one, changing.find_one_and_delete):
    _tool.plan(_planner("deletes", 1))
