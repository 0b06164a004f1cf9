"""From the local clock of a zone to instants, where the clock jumps too.

The rules, for every schedule that speaks of local time:

* a local time that does not exist (the clock was put forward over it) is the first
  instant after the jump; so all times inside one jump are the same instant;
* a local time that exists twice (the clock was put back) is the first of the two.

RFC 5545, section 3.3.5, reads the first case otherwise (with the offset before the jump);
cron of Debian and cronsim's documentation read it as it is done here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drawloom.errors import ValueInvalid

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9900, 1, 1, tzinfo=UTC)  # so that no sum leaves what a datetime holds
_SECOND: Final = timedelta(seconds=1)


@cache
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of this name. Raises `ValueInvalid`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueInvalid(
            f"zone: there is no zone {name[:80]!r}; use a name of the IANA database, "
            "such as Europe/Berlin or UTC"
        ) from None


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which the clock of *zone* shows the naive time *local*."""
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(fold=0):
        return at
    return _end_of_the_jump(local, zone, at)


def local_of(at: datetime, zone: ZoneInfo) -> datetime:
    """What the clock of *zone* shows at an instant: a naive time."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def in_range(at: datetime, field: str) -> datetime:
    """*at* in UTC. Raises `ValueInvalid` for a naive time, and one that no schedule reaches."""
    if at.tzinfo is None:
        raise ValueInvalid(f"{field}: {at.isoformat()} has no offset; an instant has one")
    if not EARLIEST <= at < LATEST:
        raise ValueInvalid(f"{field}: {at.isoformat()} is not within 1970 to 9899")
    return at.astimezone(UTC)


def _end_of_the_jump(local: datetime, zone: ZoneInfo, after: datetime) -> datetime:
    """The first instant after the jump over *local* (PEP 495: fold=1 gives one before it)."""
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
