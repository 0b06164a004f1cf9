"""What the exit code of a command says."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1  # findings, or a run that did not succeed
UNUSABLE: Final = 2  # wrong usage, or input that nothing can be done with
STATE: Final = 3  # the state directory is owned by another process, newer, damaged or missing
WAITING: Final = 4  # a run waits for a person, or for a signal
DEFECT: Final = 70  # a bug in Drawloom (EX_SOFTWARE of sysexits.h)
UNWRITABLE: Final = 74  # the output cannot be written (EX_IOERR of sysexits.h)
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141  # whoever read the output has gone, as after `| head`
TERMINATED: Final = 143
