"""The only ways out of the process, each with its rules built in.

`egress` for the network, `folders` for files. What opens a client is handed
`Doors`, and uses nothing else. This room imports `errors` only.
"""

from __future__ import annotations

from drawloom.doors.doors import Doors

__all__ = ["Doors"]
