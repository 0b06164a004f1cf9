"""The world round one run: it answers, fails, repeats itself, forgets, and crashes.

A life is drawn from a seed alone. What a driver would keep on disk is the
journal; a crash leaves its durable part, and a new kernel that is fed it must
be the old one. Calls that were under way then come back as LOST.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.simulation.blueprints import INPUT, Blueprint
from tests.simulation.oracle import Oracle
from tests.simulation.places import require

from drawloom.dataflow.expressions import FULL, Budget
from drawloom.dataflow.references import Condition, Evaluation, Template, listing
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ValueInvalid
from drawloom.kernel import (
    AwaitResolution,
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelRequested,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Resolved,
    Run,
    Started,
    TimerFired,
)

SMALL = Budget(steps=300, seconds=None)  # what the simulated loop may do itself
LONGEST = 3_000  # turns; a life that takes more never ends

MakeRun = Callable[..., Run]


class World:
    """One life of one blueprint."""

    def __init__(self, blueprint: Blueprint, seed: int, make_run: MakeRun = Run) -> None:
        self.blueprint, self.seed = blueprint, seed
        self.rng = random.Random(seed)
        self.make_run = make_run
        self.at = 1_700_000_000_000_000
        self.journal: list[Event] = []
        self.durable = 0
        self.trace: list[str] = []
        self.fired: Counter[str] = Counter()  # what happened to it, by name
        self.effects: dict[str, int] = {}  # of `once` places: how often it happened
        self.permitted: dict[str, int] = {}  # and how often a person had it made again
        self.known: set[str] = set()  # calls that were dispatched with an effect
        self.acted: set[str] = set()  # calls whose effect happened
        self.run = self._fresh()
        self.oracle = Oracle(blueprint)
        self.stale: list[Event] = []
        self.evaluating: dict[str, Evaluate] = {}
        # Bold worlds fail, crash and cancel often; calm ones let chains end.
        self.trouble = self.rng.choice((0.05, 0.2, 0.5))
        self.cancels = self.rng.random() < 0.25
        self.mood = self.rng.choice((None, None, *FailureKind))  # how it likes to fail

    def _fresh(self) -> Run:
        return self.make_run(self.blueprint.plan, f"run-{self.seed}", budget=SMALL)

    # -- living ------------------------------------------------------------------

    def live(self) -> World:
        """From the start to the end; raises `Violation`."""
        self.feed(Started(dict(INPUT), self.at))
        for _ in range(LONGEST):
            if self.run.finished is not None:
                self._after_the_end()
                return self
            self.at += self.rng.randrange(1, 2_000_000)
            self._turn()
        raise AssertionError(f"life {self.seed} does not end: {self.oracle.status}")

    def _turn(self) -> None:
        chance = self.rng.random()
        if chance < 0.04 and self.fired["crash"] < 6:
            self._crash()
        elif chance < 0.12:
            self._noise()
        elif chance < 0.17 and self.cancels:
            self.feed(CancelRequested("asked", self.at))
        else:
            self._go_on()

    def _go_on(self) -> None:
        """One of the things that may happen next happens."""
        choices: list[Callable[[], None]] = []
        for place in self.oracle.places():
            if place.state == "open":
                choices.append(partial(self._reply, place.call))
            elif place.state == "resting":
                choices.append(partial(self._wake, place.call, place.due))
            elif place.state == "unknown":
                choices.append(partial(self._resolve, place.call))
        choices += [partial(self._evaluate, command) for command in self.evaluating.values()]
        require(choices, "nothing can happen any more, and the run has not ended")
        self.rng.choice(choices)()

    def feed(self, event: Event) -> None:
        """Journal one event, let the kernel receive it, and judge what it says."""
        self.fired[_name(event)] += 1
        self.journal.append(event)
        commands = self.run.receive(event)
        self.trace.append(f"{event} -> {[_shown(command) for command in commands]}")
        self.oracle.observe(event, commands, self.run)
        if isinstance(event, Evaluated):
            self.evaluating.pop(event.place, None)
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, CallTool):
            if not command.step.effect.looks_only:
                # Dispatched only when the journal is on disk, and never twice.
                self.durable = len(self.journal)
                require(command.call not in self.known, f"{command.call} was dispatched twice")
                self.known.add(command.call)
        elif isinstance(command, Finish | AwaitResolution):
            self.durable = len(self.journal)
        elif isinstance(command, Evaluate):
            self.evaluating[command.place] = command

    # -- what may happen ---------------------------------------------------------

    def _reply(self, call: str) -> None:
        self.feed(self._answer(call))

    def _answer(self, call: str) -> Event:
        event: Event
        place = call.partition("#")[0]
        draft = self.blueprint.drafts[place.partition("[")[0]]
        failure = self._failure() if self.rng.random() < self.trouble else None
        if failure is None:
            output = {
                "by": call,
                "n": self.rng.randrange(6),
                "list": [1, 2, 3][: self.rng.randrange(4)],
            }
            event = CallSucceeded(call, output, self.at)
        else:
            event = CallFailed(call, failure, self.at)
        if draft.effect == "once":
            self._effect(call, happened=failure is None or self._may_have_happened(failure))
        if self.rng.random() < 0.2:
            self.stale.append(event)
        return event

    def _failure(self) -> Failure:
        kind = self.rng.choice(list(FailureKind))
        if self.mood is not None and self.rng.random() < 0.8:
            kind = self.mood
        wait = self.rng.choice((None, 0.2, 7.0)) if kind is FailureKind.THROTTLED else None
        harmless = kind is FailureKind.TRANSIENT and self.rng.random() < 0.3
        return Failure(kind, f"{kind} by the world", wait, None, harmless)

    def _may_have_happened(self, failure: Failure) -> bool:
        uncertain = failure.kind in ("timeout", "lost", "transient") and not failure.harmless
        return uncertain and self.rng.random() < 0.9

    def _effect(self, call: str, *, happened: bool) -> None:
        place = call.partition("#")[0]
        if happened and call not in self.acted:
            self.acted.add(call)
            self.effects[place] = self.effects.get(place, 0) + 1
            most = 1 + self.permitted.get(place, 0)
            require(self.effects[place] <= most, f"the effect of {place} happened again unasked")

    def _wake(self, call: str, due: int) -> None:
        self.at = max(self.at, due)
        self.stale.append(TimerFired(call, self.at))
        self.feed(TimerFired(call, self.at))

    def _resolve(self, call: str) -> None:
        outcome = self.rng.choice(("succeeded", "failed", "again"))
        output = {"by": call, "n": 5, "list": [4]} if outcome == "succeeded" else None
        if outcome == "again":
            place = call.partition("#")[0]
            self.permitted[place] = self.permitted.get(place, 0) + 1
        event = Resolved(call, outcome, self.at, output)  # type: ignore[arg-type]
        self.stale.append(event)
        self.feed(event)

    def _evaluate(self, command: Evaluate) -> None:
        event = Evaluated(command.place, self.at)
        if self.rng.random() < 0.15:
            failure = Failure(FailureKind.INVALID, "the expression needs more than its share")
            event = Evaluated(command.place, self.at, failure=failure)
        else:
            event = Evaluated(command.place, self.at, *_evaluated(command))
        self.stale.append(event)
        self.feed(event)

    # -- what must change nothing ------------------------------------------------

    def _noise(self) -> None:
        """A second, late or foreign answer."""
        calls = [place.call for place in self.oracle.places() if place.call]
        calls += [place.call for place in self.oracle.holding("resting")] * 3
        if self.stale and self.rng.random() < 0.4:
            event = self.rng.choice(self.stale)
        else:
            event = self._untimely(self.rng.choice(["s0#9", "s1[99]#1", *calls]))
        if self._is_current(event):
            return
        before = snapshot(self.run)
        self.fired["noise"] += 1
        self.feed(event)
        require(snapshot(self.run) == before, f"{event} changed the run")

    def _untimely(self, call: str) -> Event:
        """What does not fit a call that is under way, rests, is unknown, or is over."""
        lost = Failure(FailureKind.LOST, "late")
        kinds: list[Event] = [
            CallSucceeded(call, "late", self.at),
            CallFailed(call, lost, self.at),
            TimerFired(call, self.at),
            Resolved(call, "again", self.at),
        ]
        return self.rng.choice(kinds)

    def _is_current(self, event: Event) -> bool:
        state = {CallSucceeded: "open", CallFailed: "open", TimerFired: "resting"}.get(type(event))
        if isinstance(event, Evaluated):
            return event.place in self.evaluating
        wanted = state or "unknown"
        return any(place.call == event.call for place in self.oracle.holding(wanted))  # type: ignore[union-attr]

    def _after_the_end(self) -> None:
        """Nothing changes a run that is over."""
        before = snapshot(self.run)
        late = [CancelRequested("late", self.at), *self.stale[-3:]]
        for event in late:
            require(not self.run.receive(event), "a finished run gave commands")
        require(snapshot(self.run) == before, "a finished run changed")

    # -- crashes -----------------------------------------------------------------

    def _crash(self) -> None:
        """All but the journal is gone; of that, what nothing rests on may be gone too."""
        self.fired["crash"] += 1
        before = snapshot(self.run)
        kept = self.rng.randint(max(self.durable, 1), len(self.journal))
        lost = len(self.journal) - kept
        self.fired["lost rows"] += lost
        del self.journal[kept:], self.trace[kept:]
        self._again()
        if not lost:
            require(snapshot(self.run) == before, "the journal gives another run")
        self.stale += [CallSucceeded(place.call, "late", self.at) for place in self._under_way()]
        for place in self._under_way():
            if place.state == "open":
                if self.blueprint.drafts[place.step].effect == "once":
                    self._effect(place.call, happened=self.rng.random() < 0.5)
                lost_call = Failure(FailureKind.LOST, "the process ended during the call")
                self.feed(CallFailed(place.call, lost_call, self.at))

    def _under_way(self) -> list[Any]:
        return self.oracle.holding("open")

    def _again(self) -> None:
        self.run, self.oracle = self._fresh(), Oracle(self.blueprint)
        self.evaluating = {}
        for event in self.journal:
            commands = self.run.receive(event)
            self.oracle.observe(event, commands, self.run)
            for command in commands:
                if isinstance(command, Evaluate):
                    self.evaluating[command.place] = command
            if isinstance(event, Evaluated):
                self.evaluating.pop(event.place, None)

    @property
    def digest(self) -> str:
        """Names the whole life: each event with the commands it gave."""
        return hashlib.blake2b("\n".join(self.trace).encode(), digest_size=16).hexdigest()


def _evaluated(command: Evaluate) -> tuple[Any, Failure | None]:
    evaluation = Evaluation(FULL, command.now * 1000, command.seed)
    try:
        if command.kind == "condition":
            return Condition(command.source).holds(command.scope, evaluation), None
        template = listing(command.source) if command.kind == "list" else Template(command.source)
        return template.fill(command.scope, evaluation), None
    except (ExpressionInvalid, ValueInvalid) as exc:
        return None, Failure(FailureKind.INVALID, str(exc))


def _name(event: Event) -> str:
    if isinstance(event, CallFailed):
        return f"failed: {event.failure.kind}"
    if isinstance(event, Resolved):
        return f"resolved: {event.outcome}"
    return "not evaluated" if getattr(event, "failure", None) else type(event).__name__


def _shown(command: Command) -> str:
    if isinstance(command, CallTool):
        return f"CallTool({command.call}, {command.args})"
    if isinstance(command, Evaluate):
        return f"Evaluate({command.place}, {command.scope}, {command.now}, {command.seed})"
    return repr(command)


def snapshot(run: Run) -> Any:
    """All that can be seen of a run."""
    lives = []
    for life in run.lives:
        parts = (
            [life, *(life.fan.lives[i] for i in sorted(life.fan.lives))] if life.fan else [life]
        )
        lives.append([(p.place, p.status, p.attempt, p.losses, p.call, p.due) for p in parts])
        if life.fan is not None:
            fan = life.fan
            lives[-1].append((fan.next, fan.outputs, fan.failures, fan.unknown, fan.failing))  # type: ignore[arg-type]
    waiting = (sorted(run.calls), run.unknown_calls, run.evaluations)
    ended = (run.finished, run.failure, run.cancelled, run.stopping)
    return lives, waiting, ended, dict(run.scope["steps"]), dict(run.scope["failures"])
