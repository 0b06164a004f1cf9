"""Where a process of ours finds Python's modules, the engine's and those of tools."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

_OURS = str(Path(__file__).resolve().parents[3])  # the folder that the package is in


def search_path() -> list[str]:
    """The folders (and zip files) of the engine's `sys.path` that a process may read from.

    Such a process is isolated (`python -I`): by itself it has the standard library and the
    site packages of its interpreter, and would not find what PYTHONPATH, `pip install
    --target` or an embedding program have given the engine. It keeps what isolation is for:
    neither the working directory, nor the folder of the script, nor the user's site
    packages are in it, unless Drawloom itself was read from there; and the standard
    library comes first, so that no file beside a tool takes the place of one of its modules.
    """
    return list(_searched(tuple(sys.path), _working_directory()))


@lru_cache(maxsize=1)  # every process that is started asks for it
def _searched(entries: tuple[str, ...], here: str) -> tuple[str, ...]:
    found = dict.fromkeys(_whole(entry, here) for entry in entries if entry)
    standard = [entry for entry in found if _is_standard(entry)]
    unwanted = {here, _folder_of_script(here), site.getusersitepackages()}
    others = [e for e in found if e not in standard and (e not in unwanted or _is_ours(e))]
    if not any(map(_is_ours, others)):
        others.insert(0, _OURS)
    return tuple(entry for entry in (*standard, *others) if os.path.exists(entry))


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"  # it has been removed


def _folder_of_script(here: str) -> str:
    return _whole(os.path.dirname(sys.argv[0] if sys.argv else ""), here)


def _whole(path: str, here: str) -> str:
    return os.path.normpath(os.path.join(here, path))


def _is_standard(entry: str) -> bool:
    folder, name = os.path.split(entry)
    libraries = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    zipped = name.startswith("python") and name.endswith(".zip")
    return entry in libraries or (name == "lib-dynload" and folder in libraries) or zipped


def _is_ours(entry: str) -> bool:
    return os.path.realpath(entry) == _OURS
