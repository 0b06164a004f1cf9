"""Drawloom as a library: run a chain from Python, without a project folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawloom.chains import Chain, Plan, compile_chain, load
from drawloom.chains.builder import ChainFunction
from drawloom.drivers.embedded import Engine, Result
from drawloom.errors import RunFailed
from drawloom.runtime import Catalogue, StoredConnection

if TYPE_CHECKING:
    from drawloom.sdk import Tool


def plan(chain: Chain | ChainFunction | str | Path, tools: Iterable[Tool] = ()) -> Plan:
    """Compile a chain once, to be run any number of times.

    *chain* is a traced function, a loaded chain, YAML text or the path of a file.
    """
    found, own = _chain_of(chain, tools)
    return compile_chain(found, Catalogue(own).find)


async def run_async(
    chain: Chain | ChainFunction | str | Path,
    input: Mapping[str, Any] | None = None,
    *,
    tools: Iterable[Tool] = (),
    connections: Mapping[str, Mapping[str, Any]] | None = None,
    state: Path | str | None = None,
) -> Result:
    """Run a chain and wait for its end; raises `RunFailed` unless it succeeded.

    *connections* maps each slot to `{"kind": …, setting: …}`. With *state* the
    run is journaled there and survives a crash; without, it lives in memory.
    """
    found, own = _chain_of(chain, tools)
    stored = {name: _stored(name, settings) for name, settings in (connections or {}).items()}
    catalogue = Catalogue(own)
    made = compile_chain(found, catalogue.find)
    durability = "memory" if state is None else "full"
    async with Engine(catalogue, stored, state=state, durability=durability) as engine:  # type: ignore[arg-type]
        result = await engine.run(made, input)
    if result.status != "succeeded":
        why = (
            result.failure.message
            if result.failure
            else f"waits for {(*result.unknown, *result.waits)}"
        )
        raise RunFailed(f"{found.name} {result.status}: {why}", result)
    return result


def run(
    chain: Chain | ChainFunction | str | Path,
    input: Mapping[str, Any] | None = None,
    **options: Any,
) -> Result:
    """`run_async` for code without an event loop."""
    return asyncio.run(run_async(chain, input, **options))


def _chain_of(
    chain: Chain | ChainFunction | str | Path, tools: Iterable[Tool]
) -> tuple[Chain, list[Tool]]:
    own = list(tools)
    if isinstance(chain, ChainFunction):
        return chain.chain, [*chain.tools.values(), *own]
    if isinstance(chain, Path):
        return load(chain.read_text(encoding="utf-8"), file=str(chain)), own
    return (chain if isinstance(chain, Chain) else load(chain)), own


def _stored(name: str, settings: Mapping[str, Any]) -> StoredConnection:
    rest = {key: value for key, value in settings.items() if key != "kind"}
    return StoredConnection(name, str(settings.get("kind", name)), rest)
