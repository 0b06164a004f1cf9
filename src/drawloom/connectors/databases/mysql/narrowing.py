"""What the rows of a query are, as exactly as a step tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.connectors.databases.mysql.tables import select
from drawloom.connectors.databases.mysql.tools import query
from drawloom.sdk.tables import shaped


@query.narrow
@select.narrow
def _(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    return shaped(given)
