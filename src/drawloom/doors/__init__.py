"""The only ways out of the process, each with its rules built in.

`egress` for the network, `folders` for files. What opens a client is handed
`Doors`, and uses nothing else. This room imports `errors` only.
"""

from __future__ import annotations

from drawloom.doors.addresses import Reach
from drawloom.doors.client import Answer, Credential, HttpClient, Limits, Tls
from drawloom.doors.doors import Doors
from drawloom.doors.egress import Egress, judge
from drawloom.doors.folders import Entry, Folder
from drawloom.doors.meter import METER, Meter

__all__ = [
    "METER",
    "Answer",
    "Credential",
    "Doors",
    "Egress",
    "Entry",
    "Folder",
    "HttpClient",
    "Limits",
    "Meter",
    "Reach",
    "Tls",
    "judge",
]
