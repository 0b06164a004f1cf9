"""What exceptions mean here.

The network door names its refusals and failures itself, and `statuses` those
that the service answers with; this is what is left: a body that is not JSON.
"""

from __future__ import annotations

from drawloom.sdk import FailureKind, FaultTable

FAULTS: FaultTable = {
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
}
