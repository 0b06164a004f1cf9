"""Begin runs: once for each start key, with their plans stored, and no more than there is room for."""

from __future__ import annotations

import hashlib
import itertools
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from drawloom.chains.plan import Plan
from drawloom.dataflow.values import canonical_json
from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.codec import Payloads
from drawloom.drivers.embedded.pump import Pump
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.starting import (
    FROM_THE_START,
    Beginning,
    accepted_key,
    other_input,
    started,
)
from drawloom.errors import Overloaded, ValueInvalid
from drawloom.kernel import Run, Started
from drawloom.runtime.isolation.usage import refuse_beyond


class Starts:
    """Begins the runs of one engine. *row_of* looks into the store."""

    def __init__(
        self, pump: Pump, row_of: Callable[..., Any], runs_at_once: int, memory: int | None
    ) -> None:
        self.numbers = 0
        self._pump = pump
        self._row_of = row_of
        self._runs_at_once = runs_at_once
        self._memory = memory
        self._stored: set[str] = set()  # digests of plans that are in the store
        self._keys: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()

    def start(
        self,
        plan: Plan,
        given: Mapping[str, Any] | None,
        run_id: str | None,
        bindings: Mapping[str, str] | None,
        beginning: Beginning,
    ) -> Runner | str:
        """The new run, or the id of the one that its start key belongs to."""
        if self._pump.broken is not None:
            raise self._pump.broken
        event = started(plan, given, beginning, now())
        key, digest = beginning.key, None
        if key is not None:
            digest = hashlib.blake2b(canonical_json(event.input), digest_size=16).digest()
            if (first := self._first(plan, accepted_key(key), digest)) is not None:
                return first
        if run_id is None:
            run_id = new_run_id()
        elif self.knows(run_id):
            raise ValueInvalid(f"there is already a run {run_id!r}")
        if len(self._pump.runners) >= self._runs_at_once:
            raise Overloaded(f"{self._runs_at_once} runs are under way; try again later")
        refuse_beyond(self._memory)
        return self._begin(plan, event, run_id, bindings, (key, digest))

    def start_linked(
        self,
        plan: Plan,
        given: Mapping[str, Any],
        run_id: str,
        bindings: Mapping[str, str],
        parent: tuple[Runner, str] | None,
    ) -> Runner:
        """Begin a run for another one. Raises `ValueInvalid`."""
        event = started(plan, given, FROM_THE_START, now())
        if self.knows(run_id):
            raise ValueInvalid(f"there is already a run {run_id!r}")
        return self._begin(plan, event, run_id, bindings, (None, None), parent)

    def made(
        self, run_id: str, number: int, plan: Plan, run: Run, bindings: Mapping[str, str] | None
    ) -> Runner:
        """A runner that nothing has happened to."""
        payloads = Payloads(number, self._pump.journal, self._pump.blobs)
        return Runner(run_id, number, plan, run, dict(bindings or {}), payloads)

    def knows(self, run_id: str) -> bool:
        """Whether there is, or was, a run of this id here."""
        pump = self._pump
        known = run_id in pump.runners or run_id in pump.ended
        return known or self._row_of("run", run_id) is not None

    def _begin(
        self,
        plan: Plan,
        event: Started,
        run_id: str,
        bindings: Mapping[str, str] | None,
        keyed: tuple[str | None, bytes | None],
        parent: tuple[Runner, str] | None = None,
    ) -> Runner:
        self.numbers += 1
        runner = self.made(run_id, self.numbers, plan, Run(plan, run_id), bindings)
        runner.started_at = event.at
        above = None
        if parent is not None:
            runner.parent, runner.parent_call = parent
            above = runner.parent.number
        key, digest = keyed
        if key is not None and digest is not None:
            self._remember_key((plan.name, key), (run_id, digest))
        journal = self._pump.journal
        if journal is not None:
            self._store_plan(plan)
            bound = json.dumps(runner.bindings) if bindings else "{}"
            named = (runner.number, run_id, plan.name, plan.digest, "running", event.at, bound)
            journal.run((*named, above, runner.parent_call or None, key, digest))
        self._pump.begin(runner, event)
        return runner

    def _first(self, plan: Plan, key: str, digest: bytes) -> str | None:
        """The run that began with a start key, if there is one."""
        found = self._keys.get((plan.name, key)) or self._row_of("run_by_key", plan.name, key)
        if found is None:
            return None
        run_id, known = found
        if bytes(known) != digest:
            raise other_input(key, run_id)
        return str(run_id)

    def _remember_key(self, named: tuple[str, str], run: tuple[str, bytes]) -> None:
        """Until the store has it; where nothing is kept, the latest ones."""
        self._keys[named] = run
        if len(self._keys) > self._runs_at_once:
            self._keys.popitem(last=False)

    def _store_plan(self, plan: Plan) -> None:
        if plan.digest in self._stored:
            return
        assert self._pump.journal is not None
        for child in plan.children.values():
            self._store_plan(child)
        self._pump.journal.plan(
            (
                plan.digest,
                plan.name,
                plan.version,
                json.dumps(dict(plan.document)),
                json.dumps(dict(plan.effects)),
                now(),
                json.dumps({name: child.digest for name, child in plan.children.items()}),
            )
        )
        self._stored.add(plan.digest)


_PROCESS = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(3)}"
_numbers = itertools.count()


def new_run_id() -> str:
    """A new id: when this process began, a random part, and a number; ids sort by time."""
    return f"{_PROCESS}{next(_numbers):06x}"
