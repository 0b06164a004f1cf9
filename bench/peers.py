"""Installs the peers, each from its lock, where nothing else sees them.

`requirements.txt` goes into bench/.venv and `node/package-lock.json` into
bench/node/node_modules; a stamp with the lock's digest makes the next call instant.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.engines import Engine, Home
from bench.processes import HERE, PEERS

LOCK = HERE / "requirements.txt"
VENV = HERE / ".venv"
NODE = HERE / "node"


def ready(engines: Iterable[Engine], install: bool) -> dict[Home, str]:
    """Install what these engines need; the homes that are missing, and why."""
    missing: dict[Home, str] = {}
    for home, step in (("peers", _python), ("node", _node)):
        if not any(engine.home == home for engine in engines):
            continue
        if why := step(install):
            missing[home] = why  # type: ignore[index]
    return missing


def _python(may: bool) -> str:
    stamp = VENV / "locked"
    if _stamped(stamp, LOCK):
        return ""
    if not may:
        return "not installed; leave out --no-install"
    uv = _uv()
    if uv is None:
        return "uv is missing: `pip install uv` into this environment"
    venv = [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)]
    # Compiled at once, so that no peer pays for it in its cold start.
    install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"]
    install += ["-r", str(LOCK)]
    return _install([venv, [*install, "--python", str(PEERS)]], stamp, LOCK)


def _node(may: bool) -> str:
    lock, stamp = NODE / "package-lock.json", NODE / "node_modules" / "locked"
    if _stamped(stamp, lock):
        return ""
    if not may:
        return "not installed; leave out --no-install"
    if not shutil.which("npm"):
        return "npm is missing: install nodejs and npm (18 or later)"
    return _install([["npm", "ci", "--omit=dev", "--loglevel=error"]], stamp, lock)


def _uv() -> list[str] | None:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else None


def _install(commands: list[list[str]], stamp: Path, lock: Path) -> str:
    for argv in commands:
        done = subprocess.run(argv, check=False, cwd=NODE, capture_output=True, text=True)
        if done.returncode:
            return f"{argv[0]} failed: {done.stderr.strip()[-300:]}"
    stamp.write_text(_digest(lock))
    return ""


def _stamped(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text() == _digest(lock)


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def lock() -> None:
    """Lock the present versions anew, with hashes and without the name of any index."""
    uv = _uv()
    if uv is None:
        raise SystemExit("uv is missing: `pip install uv` into this environment")
    options = "--quiet --upgrade --universal --python-version 3.11 --generate-hashes"
    quiet = "--no-emit-index-url --no-emit-find-links"
    header = ["--custom-compile-command", "python -m bench --lock"]
    argv = [*uv, "pip", "compile", *options.split(), *quiet.split(), *header]
    subprocess.run([*argv, "requirements.in", "-o", LOCK.name], cwd=HERE, check=True)


def versions() -> dict[str, str]:
    """The locked version of each peer, by the name of its engine's module."""
    text = LOCK.read_text()
    named = {"hamilton": "apache-hamilton", "langgraph": "langgraph", "dbos": "dbos"}
    found = {m: re.search(rf"^{p}==(\S+)", text, re.MULTILINE) for m, p in named.items()}
    node = json.loads((NODE / "package.json").read_text())["dependencies"]["node-red"]
    return {m: match[1] for m, match in found.items() if match} | {"nodered": node}
