"""Planted kernel bugs: each is one changed piece of source.

The piece must occur exactly once, so that a mutant which no longer fits the
kernel is noticed.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from drawloom.kernel import Run, fan_out, run
from drawloom.policies import Retry, retry

MODULES = {"run": run, "fan_out": fan_out, "retry": retry}


@dataclass(frozen=True)
class Mutant:
    """A bug: in which module, what it replaces, and by what."""

    name: str
    module: str
    old: str
    new: str

    def planted(self, monkeypatch: pytest.MonkeyPatch) -> type[Run]:
        """A `Run` with the bug in it."""
        changed = self._changed()
        if self.module == "run":
            return changed.Run  # type: ignore[no-any-return]
        if self.module == "retry":
            for name in ("next_delay", "_pause"):
                monkeypatch.setattr(Retry, name, getattr(changed.Retry, name))
            return Run
        again = loaded(run, inspect.getsource(run))
        again.fan_out = changed  # type: ignore[attr-defined]
        return again.Run  # type: ignore[no-any-return]

    def _changed(self) -> Any:
        module = MODULES[self.module]
        source = inspect.getsource(module)
        assert source.count(self.old) == 1, f"{self.name}: the kernel has changed; so must this"
        return loaded(module, source.replace(self.old, self.new))


def loaded(module: ModuleType, source: str) -> ModuleType:
    made = ModuleType(module.__name__)
    exec(compile(source, module.__name__, "exec"), made.__dict__)  # noqa: S102  # our own source
    return made


MUTANTS = [
    Mutant(
        "an uncertain outcome of a once tool is called again", "run",
        "            self._lose(life)\n            return\n        delay",
        "            self._call(life, life.args)\n            return\n        delay",
    ),
    Mutant(
        "an uncertain outcome of a once tool is a failure", "run",
        "if outcome_unknown(life.step.effect, failure):", "if False:",
    ),
    Mutant(
        "an answer is taken while the step rests", "run",
        "                if life.status == RUNNING:\n                    self._succeed",
        "                if True:\n                    self._succeed",
    ),
    Mutant(
        "a failure is taken twice", "run",
        "if life is None or life.status != RUNNING:", "if life is None:",
    ),
    Mutant(
        "a timer that fires twice calls twice", "run",
        "if life is not None and life.status == RESTING:", "if life is not None:",
    ),
    Mutant(
        "a call id is used again", "run",
        'call = life.next_call()', 'call = life.call or life.next_call()',
    ),
    Mutant("a skip is not handed on", "run", "other.dead += 1", "other.dead += 0"),
    Mutant(
        "join any is taken for all", "run",
        "if life.dead and (not step.join_any or life.dead == step.need_count):", "if life.dead:",
    ),
    Mutant(
        "join all is taken for any", "run",
        "(not step.join_any or life.dead == step.need_count)", "life.dead == step.need_count",
    ),
    Mutant(
        "a step starts before all that it needs has ended", "run",
        "other.remaining == 0 and other.status == WAITING", "other.status == WAITING",
    ),
    Mutant(
        "a failed step wakes those that wait for its success", "run",
        '"succeeded": frozenset({"succeeded"})', '"succeeded": frozenset({"succeeded", "failed"})',
    ),
    Mutant(
        "waiting steps start after the run stopped", "run",
        "elif life.status not in FINAL:", "elif life.status not in FINAL and life.remaining == 0:",
    ),
    Mutant(
        "a failure does not stop the other branches", "run",
        "            if not self.stopping:", "            if self.stopping:",
    ),
    Mutant(
        "a failure that is handled stops the run", "run",
        "if not life.step.tolerated:", "if not life.step.continues:",
    ),
    Mutant(
        "clean-up is not run after a cancel", "run",
        "if life.step.cleanup and life.status in (WAITING, EVALUATING):", "if False:",
    ),
    Mutant(
        "clean-up is cut off by the failure that it cleans up", "run",
        "not (life.step.cleanup and self.cancelled is None)", "True",
    ),
    Mutant(
        "a once call under way is cut off by a failure", "run",
        "if once and drain:", "if False:",
    ),
    Mutant(
        "a once call that was cut off counts as cancelled", "run",
        'self._move(life, "lose" if once else "cancel")', 'self._move(life, "cancel")',
    ),
    Mutant(
        "an output that cannot be evaluated is asked for again", "run",
        "            self.failure = of_output(event.failure)\n\n    def _resolve",
        "            self._end(Finish('failed', failure=event.failure))\n\n    def _resolve",
    ),
    Mutant(
        "an evaluation is taken twice", "run",
        "life = self._evaluating.pop(event.place)", "life = self._evaluating[event.place]",
    ),
    Mutant(
        "a resolved call stays unknown", "run",
        "life = self._unknown.pop(event.call, None)", "life = self._unknown.get(event.call)",
    ),
    Mutant(
        "more items at once than allowed", "fan_out",
        "fan.busy < step.concurrency and fan.failing", "fan.busy <= step.concurrency and fan.failing",
    ),
    Mutant(
        "an item called again takes no place in the window", "fan_out",
        "fan.again and fan.busy < step.concurrency and", "fan.again and",
    ),
    Mutant(
        "results in the order of the answers", "fan_out",
        "item.owner.fan.results[item.item] = output",
        "item.owner.fan.results[len(item.owner.fan.outputs)] = output",
    ),
    Mutant(
        "items go on starting after one has failed", "fan_out",
        " and fan.failing is None:\n        if", ":\n        if",
    ),
    Mutant(
        "the failure of the last item is lost while the run stops", "fan_out",
        "elif fan.failing is None:", "elif fan.failing is None and not fan.halted:",
    ),
    Mutant(
        "a skipped item counts as a result", "fan_out",
        "def item_skipped(run: Run, item: Life) -> None:\n",
        "def item_skipped(run: Run, item: Life) -> None:\n"
        "    item.owner.fan.results[item.item] = None\n",
    ),
    Mutant(
        "a lost call uses up an attempt", "retry",
        "attempt - losses >= self.attempts", "attempt >= self.attempts",
    ),
    Mutant(
        "a lost call is made again for ever", "retry",
        "0.0 if losses <= LOSSES_AT_MOST else None", "0.0",
    ),
    Mutant(
        "kinds that are not to be retried are", "retry",
        "failure.kind not in self.on or attempt", "attempt",
    ),
    Mutant("one attempt too many", "retry", "losses >= self.attempts", "losses > self.attempts"),
    Mutant(
        "the service's own delay is not heeded", "retry",
        "return max(pause, failure.retry_after or 0.0)", "return pause",
    ),
    Mutant(
        "the budget is not heeded", "retry",
        "elapsed + pause > self.budget", "pause > self.budget",
    ),
]  # fmt: skip
