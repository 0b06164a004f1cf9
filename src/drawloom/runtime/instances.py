"""The instances of connections, as connections of their own."""

from __future__ import annotations

from collections.abc import Mapping

from drawloom.runtime.clients import StoredConnection
from drawloom.runtime.guarding import Policies


def with_instances(
    connections: Mapping[str, StoredConnection], policies: Policies | None
) -> dict[str, StoredConnection]:
    """*connections*, and one more for each instance: the connection with its own settings."""
    found = dict(connections)
    for name, rule in (policies.pools if policies else {}).items():
        if (shared := connections.get(name)) is None:
            continue  # a run that wants it says that there is none
        for instance in rule.instances:
            own = (rule.settings or {}).get(instance.name, {})
            settings = {**shared.settings, **own}
            found[instance.name] = StoredConnection(instance.name, shared.kind, settings)
    return found
