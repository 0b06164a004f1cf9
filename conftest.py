"""Fixtures for every test of the project, those inside the sources included."""

from __future__ import annotations

import sys
from pathlib import Path

# Tests are imported one by one, without their folder on the path; the servers are shared.
sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["tests.servers.postgresql"]
