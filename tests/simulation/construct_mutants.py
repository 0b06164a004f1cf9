"""Planted bugs in what the engine does itself: each is one changed piece of source."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tests.simulation.mutants import loaded

from drawloom.kernel import Run, constructs, fan_out, partial, passes, run, saga, streaming

MODULES = {
    "constructs": constructs,
    "fan_out": fan_out,
    "partial": partial,
    "passes": passes,
    "run": run,
    "saga": saga,
    "streaming": streaming,
}


@dataclass(frozen=True)
class ConstructMutant:
    """A bug: in which module, what it replaces, and by what."""

    name: str
    module: str
    old: str
    new: str

    def planted(self) -> type[Run]:
        """A `Run` with the bug in it: the kernel's modules are loaded anew, and know each other."""
        made: dict[str, ModuleType] = {}
        for name, module in MODULES.items():
            source = inspect.getsource(module)
            if name == self.module:
                assert source.count(self.old) == 1, f"{self.name}: the kernel has changed"
                source = source.replace(self.old, self.new)
            made[name] = loaded(module, source)
        for module in made.values():
            for name, other in made.items():
                if hasattr(module, name) and isinstance(getattr(module, name), ModuleType):
                    setattr(module, name, other)
        found: Any = made["run"]
        return found.Run  # type: ignore[no-any-return]


CONSTRUCT_MUTANTS = [
    ConstructMutant(
        "the first that was done is undone first", "saga",
        "saga.undoable.pop()", "saga.undoable.pop(0)",
    ),
    ConstructMutant(
        "what failed to be undone is not told", "saga",
        "run.saga.failed[_named(life)] = ", "_ = ",
    ),
    ConstructMutant(
        "a failed undo stops the others", "saga",
        "    run.saga.now = None\n\n\ndef told", "    run.saga.undoable.clear()\n    run.saga.now = None\n\n\ndef told",
    ),
    ConstructMutant(
        "a cancelled run is not undone", "run",
        "if (self.cancelled is not None or self.failure is not None) and saga.go_on(self):",
        "if self.failure is not None and saga.go_on(self):",
    ),
    ConstructMutant(
        "a run that succeeds is undone", "run",
        "if (self.cancelled is not None or self.failure is not None) and saga.go_on(self):",
        "if saga.go_on(self):",
    ),
    ConstructMutant(
        "a repeat goes on beyond its limit", "passes",
        "elif life.passes >= again.limit:", "elif life.passes > 1_000_000:",
    ),
    ConstructMutant(
        "a repeat goes on while the run stops", "passes",
        "elif run._halting(life):", "elif False:",
    ),
    ConstructMutant(
        "the timer of a wait is left when the signal comes", "constructs",
        "        run._commands.append(CancelCall(call))  # its deadline", "        pass",
    ),
    ConstructMutant(
        "a deadline that fired is waited for again", "constructs",
        "    del run.calls[life.call]\n    run.waits.pop(life.call, None)\n    then",
        "    run.waits.pop(life.call, None)\n    then",
    ),
    ConstructMutant(
        "a child is not told to stop", "run",
        "                life.cut = True\n                self._commands.append(CancelCall(life.call))",
        "                life.cut = True",
    ),
    ConstructMutant(
        "the end of a child that was stopped is a failure of its own", "run",
        'if life.step.construct == "chain" and (life.cut or life.failure is not None):', "if False:",
    ),
    ConstructMutant(
        "a stream is read from its beginning each time", "streaming",
        "stream.pulling = Puller(stream.step, life, fan.next, stream.after)",
        "stream.pulling = Puller(stream.step, life, fan.next, None)",
    ),
    ConstructMutant(
        "lost items are read again from where the stream stands", "streaming",
        "item.fetch = Puller(stream.step, owner, item.item, item.position.before, item)",
        "item.fetch = Puller(stream.step, owner, item.item, stream.after, item)",
    ),
    ConstructMutant(
        "a stream is taken to be over after its first items", "streaming",
        "stream.pulling, stream.after, stream.exhausted = None, event.after, event.done",
        "stream.pulling, stream.after, stream.exhausted = None, event.after, True",
    ),
    ConstructMutant(
        "reading goes on while the run stops", "fan_out",
        "        streaming.stop(run, fan.stream)\n", "        pass\n",
    ),
    ConstructMutant(
        "a call id of a re-read is used twice", "streaming",
        "        item.fetch.attempt = before.attempt  # its call ids go on: none is used twice",
        "        pass",
    ),
    ConstructMutant(
        "a run begins before its turn", "run",
        "            self._queue(self.plan.queueing)", "            self._begin_all()\n            self._queue(self.plan.queueing)",
    ),
    ConstructMutant(
        "the run's deadline stops nothing", "run",
        "        self.failure = self.failure or Failure(FailureKind.TIMEOUT, message)\n        self._stop()",
        "        self.failure = self.failure or Failure(FailureKind.TIMEOUT, message)",
    ),
    ConstructMutant("a pinned step is called all the same", "partial", "        run._settle(life)\n", "        pass\n"),
]  # fmt: skip
