"""Run one test: in memory, in virtual time, with nothing outside touched."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from drawloom.chains.plan import Plan
from drawloom.drivers.simulated import Clock, Result
from drawloom.drivers.starting import Beginning
from drawloom.errors import DrawloomError
from drawloom.kernel import Pin
from drawloom.runtime import Catalogue
from drawloom.testing.case import Case
from drawloom.testing.engine import ScriptedEngine
from drawloom.testing.expecting import Seen, unmet
from drawloom.testing.outside import Outside
from drawloom.testing.script import Script

LONGEST: Final = 60.0  # seconds of real time
_OPEN: Final = ("waiting", "unknown")

Verdict: TypeAlias = Literal["passed", "failed", "wrong"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went: `failed` where the chain is not as expected, `wrong` where the test is.

    `seconds` is real time. `seen` is None where the run did not come to an end.
    """

    name: str
    problems: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    seconds: float = 0.0
    seen: Seen | None = field(default=None, compare=False, repr=False)

    @property
    def result(self) -> Result | None:
        """How the run ended, or stands; None where it could not begin."""
        return None if self.seen is None else self.seen.result

    @property
    def verdict(self) -> Verdict:
        """`wrong` before `failed`: what a wrong test expects says nothing."""
        return "wrong" if self.problems else "failed" if self.differences else "passed"

    @property
    def lines(self) -> tuple[str, ...]:
        """What there is to say; of a wrong test only what is wrong with it."""
        return self.problems or self.differences


def run_case(case: Case, plan: Plan, catalogue: Catalogue, longest: float = LONGEST) -> Outcome:
    """Run *case* on *plan*. Nothing is raised for what a test or a chain does."""
    began = time.perf_counter()
    script = Script(case.answers)
    try:
        result = asyncio.run(_run(case, plan, catalogue, script, longest))
    except TimeoutError:
        problem = f"the test took longer than {longest:g} s of real time"
        return Outcome(case.name, (*script.problems, problem), (), time.perf_counter() - began)
    except DrawloomError as exc:
        return Outcome(case.name, (str(exc),), (), time.perf_counter() - began)
    seen = Seen(case, result, script)
    problems = (*script.problems, *script.unused())
    return Outcome(case.name, problems, tuple(unmet(seen)), time.perf_counter() - began, seen)


async def _run(
    case: Case, plan: Plan, catalogue: Catalogue, script: Script, longest: float
) -> Result:
    clock = Clock(case.now)
    pins = {**_wholes(case, plan, script), **case.pins}
    beginning = Beginning(pins=pins, only=case.only)
    async with asyncio.timeout(longest), ScriptedEngine(catalogue, clock, script, plan.name) as it:
        run_id = await it.start(plan, case.input, run_id=case.run, beginning=beginning)
        outside = Outside(it, run_id, case.happenings)
        result = await it.quiet(run_id)
        to_the_end = case.expect.get("status") not in _OPEN
        while result.status in _OPEN and await outside.go_on(to_the_end=to_the_end):
            result = await it.quiet(run_id)
        script.problems += [*outside.problems, *outside.left()]
        return result


def _wholes(case: Case, plan: Plan, script: Script) -> dict[str, Pin]:
    """Answers that stand for a whole step: of what the engine does itself there are no calls."""
    pins: dict[str, Pin] = {}
    for key, given in case.answers.items():
        step = plan.by_name.get(key)
        if step is not None and step.construct not in ("", "stream") and key not in case.pins:
            answer = given.each[0]
            failed = answer.failure is not None
            pins[key] = Pin("failed" if failed else "succeeded", answer.output, answer.failure)
            script.use(key)
    return pins
