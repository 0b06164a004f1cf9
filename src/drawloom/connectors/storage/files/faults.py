"""What a file operation's exceptions mean.

The folder door names its refusals itself; these are what decoding gives.
"""

from __future__ import annotations

from drawloom.sdk import FailureKind, FaultTable

FAULTS: FaultTable = {
    "builtins.UnicodeDecodeError": FailureKind.INVALID,
    "builtins.UnicodeEncodeError": FailureKind.INVALID,
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
}
