"""`drawloom version`."""

from __future__ import annotations

from drawloom.cli.options import AsJson


def version(*, json: AsJson = False) -> int:
    """Print the version of Drawloom, Python and SQLite."""
    import platform
    from importlib.metadata import version as version_of

    import apsw

    from drawloom.cli.terminal import print_json, print_lines
    from drawloom.db import SCHEMA_VERSION

    about = {
        "drawloom": version_of("drawloom"),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "store": SCHEMA_VERSION,
    }
    if json:
        print_json(about)
    else:
        print_lines("\n".join(f"{name} {value}" for name, value in about.items()))
    return 0
