"""SQL stores: connections that are set up right, migrations, and named queries.

Values are always bound; SQL stands in `.sql` files. May import `errors`.
"""

from __future__ import annotations

from drawloom.db.queries import queries
from drawloom.db.sqlite import SCHEMA_VERSION, connect_reader, connect_writer
from drawloom.db.writing import changing, make_private

__all__ = [
    "SCHEMA_VERSION",
    "changing",
    "connect_reader",
    "connect_writer",
    "make_private",
    "queries",
]
