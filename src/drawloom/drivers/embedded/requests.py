"""What other processes ask of the owner of a state directory: cancel, resolve, signal, approve.

A request is a small JSON file in the folder `inbox`, put there by a rename, so
that it is either whole or absent. The owner takes it, answers in a file beside
it, and removes the request.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawloom.drivers.embedded.state import INBOX
from drawloom.errors import DrawloomError, StateUnusable

if TYPE_CHECKING:
    from drawloom.drivers.embedded.engine import Engine

_EVERY = 0.2  # seconds between looks
_LARGEST = 1 << 20  # bytes


async def serve(state: Path, engine: Engine) -> None:
    """Carry out requests until cancelled."""
    inbox = state / INBOX
    inbox.mkdir(mode=0o700, exist_ok=True)
    while True:
        for path in sorted(inbox.glob("*.request")):
            answer = await _answered(path, engine)
            _put(path.with_suffix(".answer"), answer)
            path.unlink(missing_ok=True)
        await asyncio.sleep(_EVERY)


async def _answered(path: Path, engine: Engine) -> dict[str, Any]:
    try:
        asked = _read(path)
        match asked.pop("do"):
            case "cancel":
                await engine.cancel(**asked)
            case "resolve":
                await engine.resolve(**asked)
            case "signal":
                await engine.signal(**asked)
            case "approve":
                await engine.approve(**asked)
            case "forget":
                engine.answers.clear(**asked)
            case other:
                return {"error": f"cannot {other!r}"}
    except (DrawloomError, TypeError, ValueError, KeyError, OSError) as exc:
        return {"error": str(exc)}
    return {"done": True}


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError(f"a request may have {_LARGEST} bytes")
    return dict(json.loads(text))


def ask(state: Path, what: dict[str, Any], within: float = 5.0) -> None:
    """Ask the owner of *state*, and wait for its word. Raises `StateUnusable` with its refusal."""
    name = f"{time.time_ns()}-{secrets.token_hex(4)}"
    request = state / INBOX / f"{name}.request"
    _put(request, what)
    answer = request.with_suffix(".answer")
    until = time.monotonic() + within
    while not answer.exists():
        if time.monotonic() > until:
            request.unlink(missing_ok=True)
            raise StateUnusable(f"the owner of {state} did not answer within {within:g} s")
        time.sleep(0.02)
    told = json.loads(answer.read_bytes())
    answer.unlink(missing_ok=True)
    if "error" in told:
        raise StateUnusable(told["error"])


def _put(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value), encoding="utf-8")
    os.replace(unfinished, path)
