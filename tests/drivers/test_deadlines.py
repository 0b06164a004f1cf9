"""Deadlines that are met leave nothing behind, however many there were at once."""

from __future__ import annotations

import sys

from drawloom.drivers.embedded.deadlines import Deadlines


async def test_a_bucket_that_has_emptied_is_small() -> None:
    expired: list[int] = []
    deadlines: Deadlines[int] = Deadlines(expired.append)
    held = [(thing, deadlines.hold(thing, 300.0)) for thing in range(1_000)]
    buckets = {id(bucket): bucket for _, bucket in held}
    for thing, bucket in held:
        deadlines.release(thing, bucket)
    assert all(sys.getsizeof(bucket) == sys.getsizeof(set()) for bucket in buckets.values())
    deadlines.stop()
    assert not expired
