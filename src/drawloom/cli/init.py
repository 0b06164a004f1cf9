"""`drawloom init`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson


def init(
    folder: Annotated[
        Path, Parameter(name="FOLDER", help="Where; made if it is not there.")
    ] = Path(),
    /,
    *,
    json: AsJson = False,
) -> int:
    """Make a new project with an example that runs at once, offline.

    Nothing is overwritten: if one of its files is there, nothing is written.

    For example:
      drawloom init my-project
    """
    from drawloom.cli.terminal import print_json, print_lines
    from drawloom.project.starting import start_project

    written = start_project(folder)
    if json:
        print_json({"folder": str(folder), "files": [path.name for path in written]})
        return 0
    enter = "" if folder == Path() else f"  cd {quote(str(folder))}\n"
    names = "\n".join(f"  {path}" for path in written)
    print_lines(
        f"Wrote\n{names}\n\nNow try\n{enter}"
        "  drawloom check hello.yaml\n"
        "  drawloom run hello.yaml --input least=50\n"
        "  drawloom runs list\n"
        "and test it:\n"
        "  drawloom test\n"
        "  pip install pytest; pytest test_hello.py"
    )
    return 0
