"""The doors as a connector sees them: what an open client may be made of."""

from __future__ import annotations

from drawloom.doors import (
    METER,
    Answer,
    Credential,
    Doors,
    Egress,
    Entry,
    Folder,
    HttpClient,
    Limits,
    Meter,
    Reach,
    Tls,
    judge,
)

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
