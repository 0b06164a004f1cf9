"""The command line: a thin face on a project. May import every room below.

Each command is a module named after it, imported when it is called, so that
`drawloom --help` answers at once.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Carry out the command line of this process, and end it with its exit code."""
    import sys
    import warnings

    from drawloom.cli.ending import end, execute

    if not sys.warnoptions:  # warnings are for developers; whoever asks gets them
        warnings.simplefilter("ignore")
    end(execute())
