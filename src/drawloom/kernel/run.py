"""One run of one plan: the only place that decides.

`receive` takes one event and gives the commands to carry out, in order. The
same events in the same order give the same commands. An answer to any call id
but a current one is ignored. See `table` for the life of a step.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from drawloom.chains.plan import Outcome, Plan, Queueing
from drawloom.dataflow.expressions import INLINE, Budget, OverBudget
from drawloom.dataflow.references import Evaluation
from drawloom.dataflow.values import write_json
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, KernelMisuse, ValueInvalid
from drawloom.kernel import constructs, fan_out, partial, passes, saga, streaming
from drawloom.kernel.failures import describe, of_mapping, of_output, of_step
from drawloom.kernel.life import Life, Puller
from drawloom.kernel.messages import (
    Admit,
    Admitted,
    Approved,
    AwaitResolution,
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelCall,
    CancelRequested,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Pulled,
    Refused,
    Resolved,
    SetTimer,
    SignalReceived,
    Started,
    TimerFired,
)
from drawloom.kernel.table import (
    EVALUATING,
    FINAL,
    RESTING,
    RUNNING,
    TRANSITIONS,
    UNKNOWN,
    WAITING,
    Status,
    Trigger,
)
from drawloom.policies import outcome_unknown

OUTPUT_PLACE = "?output"
TIMEOUT_CALL = "?timeout"  # names the timer of the whole run
MOST_SIGNALS = 1_000  # of one name, kept until a step waits for them

# Which ends of a step bring the edges that wait for it to life.
_ALIVE: dict[Outcome, frozenset[Status]] = {
    "succeeded": frozenset({"succeeded"}),
    "failed": frozenset({"failed"}),
    "finished": frozenset({"succeeded", "failed", "cancelled", "unknown"}),
}


class Run:
    """The state of one run. `receive` is the only way to change it."""

    __slots__ = (
        "_at",
        "_awaiting",
        "_commands",
        "_evaluated",
        "_evaluating",
        "_evaluation",
        "_open",
        "_ready",
        "_unknown",
        "admitted",
        "calls",
        "cancelled",
        "due",
        "ended",
        "failure",
        "finished",
        "lives",
        "only",
        "plan",
        "run_id",
        "saga",
        "scope",
        "signals",
        "stopping",
        "waits",
    )

    def __init__(self, plan: Plan, run_id: str, *, budget: Budget = INLINE) -> None:
        self.plan = plan
        self.run_id = run_id
        self.scope: dict[str, Any] = {"steps": {}, "failures": {}, "vars": dict(plan.variables)}
        self.lives = [Life(step, self.scope) for step in plan.steps]
        self.calls: dict[str, Life] = {}  # running and resting
        self.waits: dict[str, Life] = {}  # of those: what only somebody outside can end
        self.signals: dict[str, deque[Any]] = {}  # that nobody has waited for yet
        self.saga = saga.Saga()
        self.admitted = False
        self.due = 0  # when the run is out of time; 0 where it has all it needs
        self.only: tuple[str, ...] | None = None
        self.finished: Finish | None = None
        self.failure: Failure | None = None
        self.cancelled: str | None = None
        self.stopping = False
        self.ended: list[Life] = []  # steps that ended; who watches empties it
        self._open = len(self.lives)
        self._ready: list[Life] = []
        self._commands: list[Command] = []
        self._unknown: dict[str, Life] = {}
        self._evaluating: dict[str, Life | None] = {}
        self._evaluated: dict[str, Any] = {}
        self._evaluation = Evaluation(budget, 0, run_id)
        self._awaiting: tuple[str, ...] = ()
        self._at = 0

    def receive(self, event: Event) -> list[Command]:
        """Take one event; give the commands to carry out, in order."""
        commands: list[Command] = []
        if self.finished is not None:
            return commands
        self._commands = commands
        self._at = event.at
        self._evaluation.at = event.at
        if type(event) is CallSucceeded:  # by far the commonest
            life = self.calls.pop(event.call, None)
            if life is not None:
                if life.status == RUNNING:
                    self._succeed(life, event.output)
                else:  # it rests: this is the answer to an earlier attempt
                    self.calls[event.call] = life
        else:
            self._take(event)
        ready = self._ready
        for life in ready:  # it grows meanwhile
            if life.fan is not None:
                fan_out.go_on(self, life)
            elif life.item is None and life.step.plain_end:
                self._begin(life)
            else:
                self._begin_other(life)
        ready.clear()
        if self._open == 0 and self.saga.now is None:
            self._finish()
        if len(self.calls) == len(self.waits) and not self._evaluating:
            self._await_resolution()
        return commands

    @property
    def unknown_calls(self) -> tuple[str, ...]:
        """Calls whose outcome a person has to tell."""
        return tuple(self._unknown)

    @property
    def stalled(self) -> bool:
        """Whether nothing goes on until somebody outside has said how calls end."""
        under_way = len(self.calls) > len(self.waits) or self._evaluating or self._ready
        return bool(self._unknown or self.waits) and not under_way

    @property
    def timers(self) -> dict[str, int]:
        """The instants (microseconds) that the run waits for, by call."""
        found = {
            call: life.due
            for call, life in self.calls.items()
            if life.due and (life.status == RESTING or life.step.construct)
        }
        if self.due and not self.stopping:
            found[TIMEOUT_CALL] = self.due
        return found

    @property
    def evaluations(self) -> tuple[str, ...]:
        """Places whose evaluation is under way elsewhere."""
        return tuple(self._evaluating)

    def use_budget(self, budget: Budget) -> None:
        """Evaluate within *budget* from now on (at replay: counted limits only)."""
        self._evaluation.budget = budget

    # -- events ------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case Started():
                self._start(event)
            case CallFailed():
                self._call_failed(event)
            case TimerFired():
                self._timer_fired(event)
            case Evaluated():
                self._evaluation_done(event)
            case CancelRequested(reason=reason):
                if self.cancelled is None:
                    self.cancelled = reason
                self._stop()
            case Resolved():
                self._resolve(event)
            case Admitted():
                if not self.admitted and not self.stopping:
                    self._begin_all()
            case _:
                self._take_more(event)

    def _take_more(self, event: Event) -> None:
        if isinstance(event, SignalReceived | Approved):
            self._awaiting = ()  # who waits for the run is told again where it stands
        match event:
            case Pulled():
                streaming.pulled(self, event)
            case Refused():
                streaming.refused(self, event)
            case SignalReceived():
                constructs.signalled(self, event)
            case Approved():
                constructs.approved(self, event)

    def _start(self, event: Started) -> None:
        if "input" in self.scope:
            raise KernelMisuse(f"run {self.run_id} was started twice")
        self.scope["input"] = event.input
        if self.plan.reads_run:
            self.scope["run"] = {
                "id": self.run_id,
                "chain": self.plan.name,
                "version": self.plan.version,
                "started_at": event.at // 1000,
            }
        self.only = event.only
        if event.pins or event.only is not None:
            partial.apply(self, event)
            self._ready.clear()
        if self.plan.queueing is None:
            self._begin_all()
        else:
            self._queue(self.plan.queueing)

    def _queue(self, queueing: Queueing) -> None:
        """Wait until fewer runs than allowed are under way."""
        try:
            key = queueing.key.fill(self.scope, self._evaluation)
        except (OverBudget, ValueInvalid, ExpressionInvalid) as exc:
            self.failure = Failure(FailureKind.INVALID, f"concurrency.key: {exc}")
            self.admitted = True
            self._stop()
            return
        named = key if isinstance(key, str) else write_json(key)
        self._commands.append(Admit(named, queueing.limit, self.plan.priority))

    def _begin_all(self) -> None:
        self.admitted = True
        if self.plan.timeout is not None:
            self.due = self._at + round(self.plan.timeout * 1_000_000)
            self._commands.append(SetTimer(TIMEOUT_CALL, self.due))
        waiting = (life for life in self.lives if life.remaining == 0 and life.status == WAITING)
        self._ready.extend(waiting)

    def keep_signal(self, event: SignalReceived) -> None:
        """Keep a signal until a step waits for it. Who sends them is refused beyond a bound."""
        self.signals.setdefault(event.name, deque()).append(event.payload)

    def _call_failed(self, event: CallFailed) -> None:
        life = self.calls.get(event.call)
        if life is None or life.status != RUNNING:
            return
        failure = event.failure
        if life.step.construct == "chain" and (life.cut or life.failure is not None):
            del self.calls[event.call]
            constructs.child_ended_badly(self, life, failure)
            return
        if failure.kind is FailureKind.LOST:
            life.losses += 1
        if outcome_unknown(life.step.effect, failure):
            del self.calls[event.call]
            life.failure = failure
            self._lose(life)
            return
        delay = None if self._halting(life) else self._delay(life, failure)
        if delay is None:
            del self.calls[event.call]
            self._give_up(life, failure)
        elif delay == 0:
            del self.calls[event.call]
            self._call(life, life.args)
        else:
            life.failure = failure
            life.due = self._at + round(delay * 1_000_000)
            self._move(life, "rest")
            self._commands.append(SetTimer(event.call, life.due))

    def _delay(self, life: Life, failure: Failure) -> float | None:
        return life.step.retry.next_delay(
            failure,
            effect=life.step.effect,
            attempt=life.attempt - life.base,
            losses=life.losses,
            elapsed=(self._at - life.since) / 1_000_000,
            seed=f"{self.run_id}/{life.place}",
        )

    def _timer_fired(self, event: TimerFired) -> None:
        life = self.calls.get(event.call)
        if life is None:
            if event.call == TIMEOUT_CALL and self.due and not self.stopping:
                self._out_of_time()
        elif life.status == RUNNING and life.due and self._at >= life.due:
            constructs.timer_fired(self, life)
        elif life.status == RESTING:
            del self.calls[event.call]
            if life.passes and life.failure is None:  # the pause between two passes
                passes.go_on(self, life)
            else:
                self._call(life, life.args)

    def _out_of_time(self) -> None:
        message = f"the run took longer than {self.plan.timeout:g} s"
        self.failure = self.failure or Failure(FailureKind.TIMEOUT, message)
        self._stop()

    def _evaluation_done(self, event: Evaluated) -> None:
        if event.place not in self._evaluating:
            return
        life = self._evaluating.pop(event.place)
        if event.failure is None:
            self._evaluated[event.place] = event.value
            if life is not None:
                self._ready.append(life)
        elif life is not None:
            self._give_up(life, event.failure)
        else:  # of the output, once every step has ended: `_finish` follows
            self.failure = of_output(event.failure)

    def _resolve(self, event: Resolved) -> None:
        life = self._unknown.pop(event.call, None)
        if life is None:
            return
        self._awaiting = ()
        if event.outcome == "again" and life.owner is not None:
            fan_out.item_again(self, life)
            return
        if life.owner is not None and life.owner.fan is not None:
            life.owner.fan.unknown -= 1
        if event.outcome == "succeeded":
            self._succeed(life, event.output)
        elif event.outcome == "again":
            self._call(life, life.args)
        else:
            message = event.message or "a person said that the call failed"
            self._give_up(life, Failure(FailureKind.LOST, message, details={"resolved": True}))

    # -- one step ----------------------------------------------------------------

    def _begin(self, life: Life) -> None:
        """Everything that a step needs has ended: skip it, or evaluate and call it."""
        step = life.step
        if life.status not in (WAITING, EVALUATING):
            return
        if life.dead and (not step.join_any or life.dead == step.need_count):
            self._skip(life)
            return
        try:
            if step.when is not None and not step.when_per_item and not self._holds(life):
                self._skip(life)
            elif step.items is None:
                self._call(life, self._arguments(life))
            else:
                fan_out.expand(self, life, self._items(life))
        except OverBudget:
            pass  # `_filled` has asked for the evaluation
        except (ValueInvalid, ExpressionInvalid) as exc:
            self._give_up(life, of_mapping(life, exc))

    def _begin_other(self, life: Life) -> None:
        """An item, the next pass of a repeat, or what undoes a step."""
        if life.status not in (WAITING, EVALUATING):
            return  # what came before it in this turn has stopped it
        if life.passes:
            passes.resume(self, life)
        elif life.step.undoes:
            saga.call(self, life)
        elif life.item is None:
            self._begin(life)
        else:
            fan_out.begin_item(self, life)

    def _holds(self, life: Life) -> bool:
        condition = life.step.when
        assert condition is not None
        place = life.place + "?when"
        if place in self._evaluated:
            return bool(self._evaluated[place])
        try:
            return condition.holds(life.scope, self._evaluation)
        except OverBudget:
            self._ask(life, place, "condition", condition.source, condition.reads)
            raise

    def _items(self, life: Life) -> Any:
        template = life.step.items
        assert template is not None
        place = life.place + "?for_each"
        if place in self._evaluated:
            found = self._evaluated.pop(place)
        else:
            try:
                found = template.fill(life.scope, self._evaluation)
            except OverBudget:
                self._ask(life, place, "list", template.source, template.reads)
                raise
        if isinstance(found, list):
            return found
        source = streaming.source_of(self.plan, template)
        if source is None:
            kind = type(found).__name__
            raise ValueInvalid(f"for_each wants a list; `{template.source}` gave a {kind}")
        return streaming.opened(source, life.step, found)

    def _arguments(self, life: Life) -> dict[str, Any]:
        step = life.step
        if self._evaluated and (place := life.place + "?with") in self._evaluated:
            return step.accept(self._evaluated.pop(place))
        try:
            args = step.arguments.fill(life.scope, self._evaluation)
            return args if step.fits(args) else step.accept(args)
        except OverBudget:
            template, place = step.arguments, life.place + "?with"
            self._ask(life, place, "template", template.source, template.reads)
            raise

    def _ask(
        self,
        life: Life | None,
        place: str,
        kind: Any,
        source: Any,
        reads: Any,
        scope: dict[str, Any] | None = None,
    ) -> None:
        """Have something evaluated elsewhere: it is too large for the loop."""
        if life is not None:
            self._move(life, "evaluate")
        self._evaluating[place] = life
        scope = _cut(scope or (self.scope if life is None else life.scope), reads)
        seed = self._evaluation.seed
        self._commands.append(Evaluate(place, kind, source, scope, self._evaluation.now, seed))

    def _call(self, life: Life, args: dict[str, Any] | None) -> None:
        call = self._registered(life, args)
        if life.step.construct:
            constructs.begin(self, life, call, args or {})
        elif args is None:
            streaming.fetch(self, life)
        else:
            command = CallTool(call, life.step, args, life.attempt, life.item, life.passes)
            self._commands.append(command)

    def _registered(self, life: Life, args: dict[str, Any] | None) -> str:
        """The id of the next call, which is under way from now on."""
        if life.attempt == 0 and life.item is None:
            call = life.step.first_call
        else:
            call = life.next_call()
        life.attempt += 1
        if life.attempt == 1:
            life.began = life.since = self._at
        life.args = args
        life.call = call
        life.failure = None
        life.due = 0
        self._move(life, "call")
        self.calls[call] = life
        return call

    def _succeed(self, life: Life, output: Any) -> None:
        step = life.step
        if step.plain_end:
            self._ended_well(life, output)
        elif step.undoes:
            saga.undone(self, life)
        elif step.repeat is not None:
            passes.ended(self, life, output)
        else:
            self._ended_well(life, output)

    def _ended_well(self, life: Life, output: Any) -> None:
        self._move(life, "succeed")
        life.failure = None
        if life.step.undo is not None and (life.fan is None):
            self.saga.undoable.append((life, output))
        if life.owner is None:
            self.scope["steps"][life.step.name] = output
            self._settle(life)
        else:
            fan_out.item_succeeded(self, life, output)

    def _skip(self, life: Life) -> None:
        self._move(life, "skip")
        if life.owner is None:
            self._settle(life)
        else:
            fan_out.item_skipped(self, life)

    def _cut_short(self, life: Life) -> None:
        """What was asked to stop, and waited for, has stopped."""
        if life.owner is not None:
            fan_out.item_cut(self, life)
            return
        self._move(life, "cancel")
        self._settle(life)

    def _give_up(self, life: Life, failure: Failure) -> None:
        self._move(life, "give up")
        life.failure = failure
        if isinstance(life, Puller):
            streaming.failed(self, life, failure)
            return
        if life.step.undoes:
            saga.not_undone(self, life, failure)
            return
        if life.owner is not None:
            fan_out.item_failed(self, life, failure)
            return
        self.scope["failures"][life.step.name] = describe(failure)
        self._settle(life)
        if not life.step.tolerated:
            if self.failure is None:
                self.failure = of_step(life, failure)
            if not self.stopping:  # a clean-up step that fails stops no other clean-up
                self._stop()

    def _lose(self, life: Life) -> None:
        """Nobody can know how the call ended: the step stops here until a person says."""
        self._move(life, "lose")
        if life.fetch is not None:
            streaming.drop(self, life.fetch)
        over = self.stopping and not life.step.cleanup
        if life.owner is not None:
            fan_out.item_lost(self, life)
        elif over:
            self._settle(life)
        if not over:
            self._unknown[life.call] = life

    def _settle(self, life: Life) -> None:
        """A step has ended: tell those that wait for it."""
        life.settled = True
        life.args = None
        life.ended = self._at
        self.ended.append(life)
        self._open -= 1
        status = life.status
        lives = self.lives
        for index, wanted in life.step.feeds:
            other = lives[index]
            other.remaining -= 1
            if status not in _ALIVE[wanted]:
                other.dead += 1
            if other.remaining == 0 and other.status == WAITING:
                self._ready.append(other)

    # -- the whole run -----------------------------------------------------------

    def _halting(self, life: Life) -> bool:
        """Whether nothing more is started for this step."""
        owner = life.owner
        if self.stopping and not (owner or life).step.cleanup:
            return True
        return owner is not None and owner.fan is not None and owner.fan.failing is not None

    def _stop(self) -> None:
        """Start nothing more but clean-up; let `once` calls under way tell how they ended."""
        self.stopping = True
        for life in self.lives:
            if not life.settled and not (life.step.cleanup and self.cancelled is None):
                self._halt(life)

    def _halt(self, life: Life) -> None:
        if life.step.cleanup and life.status in (WAITING, EVALUATING):
            return
        if life.fan is not None:
            fan_out.halt(self, life)
        elif life.status == UNKNOWN:
            self._unknown.pop(life.call, None)
            self._settle(life)
        elif life.status == RUNNING:
            if self.halt_call(life, drain=self.cancelled is None):
                self._settle(life)
        elif life.status not in FINAL:
            self.calls.pop(life.call, None)
            for kind in ("?when", "?for_each", "?with", "?until"):
                self._evaluating.pop(life.place + kind, None)
            self._move(life, "cancel")
            self._settle(life)

    def halt_call(self, life: Life, *, drain: bool) -> bool:
        """Stop a call under way; False where its end is waited for.

        So it is with a `once` tool (*drain*), and with a sub-chain, which cleans up.
        """
        if life.step.construct == "chain":
            if not life.cut:
                life.cut = True
                self._commands.append(CancelCall(life.call))
            return False
        self.waits.pop(life.call, None)
        once = not life.step.effect.repeatable
        if once and drain:
            return False
        del self.calls[life.call]
        self._commands.append(CancelCall(life.call))
        self._move(life, "lose" if once else "cancel")
        return True

    def _finish(self) -> None:
        if (self.cancelled is not None or self.failure is not None) and saga.go_on(self):
            return
        if self.cancelled is not None:
            details = {"failure": describe(self.failure)} if self.failure else None
            message = f"cancelled: {self.cancelled}"
            failure = Failure(FailureKind.CONFLICT, message, None, details)
            self._end(Finish("cancelled", failure=saga.told(self, failure)))
        elif self.failure is not None:
            self._end(Finish("failed", failure=saga.told(self, self.failure)))
        elif self.only is not None:
            self._end(Finish("succeeded", partial.output(self, self.only)))
        elif OUTPUT_PLACE in self._evaluated:
            self._end(Finish("succeeded", self._evaluated.pop(OUTPUT_PLACE)))
        elif OUTPUT_PLACE not in self._evaluating:
            self._fill_output()

    def _fill_output(self) -> None:
        output = self.plan.output
        try:
            self._end(Finish("succeeded", output.fill(self.scope, self._evaluation)))
        except OverBudget:
            self._ask(None, OUTPUT_PLACE, "template", output.source, output.reads)
        except (ValueInvalid, ExpressionInvalid) as exc:
            self.failure = of_output(Failure(FailureKind.INVALID, str(exc)))
            self._finish()

    def _end(self, finish: Finish) -> None:
        self.finished = finish
        self._commands.append(finish)

    def _await_resolution(self) -> None:
        if self.finished is not None or not self.admitted:
            return
        unknown, waits = tuple(self._unknown), tuple(self.waits)
        waiting = unknown + waits
        if not waiting:
            raise KernelMisuse(f"run {self.run_id}: nothing is under way, yet steps are open")
        if waiting != self._awaiting:
            self._awaiting = waiting
            self._commands.append(AwaitResolution(unknown, waits))

    def _move(self, life: Life, trigger: Trigger) -> None:
        try:
            life.status = TRANSITIONS[life.status][trigger]
        except KeyError:
            raise KernelMisuse(f"{life.place} is {life.status}: it cannot {trigger}") from None


def _cut(scope: dict[str, Any], reads: frozenset[tuple[str, ...]]) -> dict[str, Any]:
    """Only the roots, and of `steps` and `failures` only the steps, that are read."""
    kept: dict[str, Any] = {}
    for path in sorted(reads):
        root = scope.get(path[0]) if path else None
        if root is None:
            continue
        if path[0] in ("steps", "failures") and len(path) > 1:
            part = kept.setdefault(path[0], {})
            if path[1] in root:
                part[path[1]] = root[path[1]]
        else:
            kept[path[0]] = root
    return kept
