"""What the errors of the value rules mean: the input was not what the tool can work on."""

from __future__ import annotations

from drawloom.errors import Failure, FailureKind, ValueInvalid
from drawloom.sdk import FaultTable


def _invalid(exc: ValueInvalid) -> Failure:
    return Failure(FailureKind.INVALID, str(exc), details={"pointer": exc.path})


FAULTS: FaultTable = {"drawloom.errors.ValueInvalid": _invalid}
