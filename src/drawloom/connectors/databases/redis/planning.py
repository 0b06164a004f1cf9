"""What the tools would touch: the keys and channels that they name. The server is not asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.transactions import given_to, transaction
from drawloom.sdk import Effect, Tool
from drawloom.sdk.planning import Does, Touch

_DOES: Final[Mapping[str, Does]] = {"delete": "deletes", "publish": "sends"}
# An operation of a transaction that is none of these changes something.
_LOOK: Final = frozenset(
    name.partition(".")[2] for name, made in connector.tools.items() if made.effect is Effect.READ
)


def _touched(name: str, given: Mapping[str, Any]) -> list[Touch]:
    """What the tool, or the operation, of that name would touch."""
    does = _DOES.get(name, "reads" if name in _LOOK else "changes")
    if name == "scan":
        return [Touch("reads", f"the names of keys like {given.get('match', '*')!r}")]
    return [Touch("reads" if is_source else does, what) for what, is_source in _named(name, given)]


def _named(name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each key or channel in words, and whether it only goes into another one."""
    for parameter in ("key", "source", "target"):
        if parameter in given:
            yield f"key {given[parameter]}", False
    listed = given["values"] if name == "mset" else given.get("keys", ())
    yield from ((f"key {key}", "target" in given) for key in listed)
    for channel in (
        *given.get("channels", ()),
        *([given["channel"]] if "channel" in given else ()),
    ):
        yield f"channel {channel}", False


def _tell(made: Tool) -> None:
    name = made.name.partition(".")[2]

    @made.plan
    def _(client: Any, **given: Any) -> list[Touch]:
        return _touched(name, given)


for _made in connector.tools.values():
    if _made.planner is None and _made is not transaction:
        _tell(_made)


@transaction.plan
def _transaction(client: Any, operations: list[Any], **_: Any) -> list[Touch]:
    return [touch for one in operations for touch in _touched(one.do, given_to(one))]
