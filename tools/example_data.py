"""Copy one data file of the vega_datasets package into a folder.

The package is found but not imported: importing it would need pandas, and only
its data files are wanted.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path


def data_folder() -> Path:
    """Where the installed package keeps its files."""
    spec = importlib.util.find_spec("vega_datasets")
    if spec is None or spec.origin is None:
        sys.exit("vega_datasets is not installed; run `make run`, which installs it")
    return Path(spec.origin).parent / "_data"


def main(name: str, folder: str) -> None:
    """Copy *name* into *folder*, which is made if it is not there."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(data_folder() / name, target / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
