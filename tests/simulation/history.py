"""The history of a run, as the oracle keeps it: each event and command, judged one by one.

Here is what can be said of a call alone: it is made once, asked for, within
the window, stopped only when something stops.
"""

from __future__ import annotations

from typing import Any

from tests.simulation.blueprints import Blueprint
from tests.simulation.places import BUSY, Items, Place, parse, require
from tests.simulation.retries import after_failure

from drawloom.kernel import (
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
    Resolved,
    Run,
    SetTimer,
    Started,
    TimerFired,
)

FINAL = ("succeeded", "failed", "skipped", "cancelled")


class History:
    """What has happened to each place of one run of one blueprint."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.drafts = blueprint.drafts
        self.steps = {name: Place(name) for name in self.drafts}
        self.fans: dict[str, Items] = {}
        self.status: dict[str, str] = dict.fromkeys(self.drafts, "waiting")
        self.outputs: dict[str, Any] = {}
        self.cleanup = {name: blueprint.cleanup(name) for name in self.drafts}
        self.stopped = self.cancelled = self.output_asked = False
        self.output_answer: Evaluated | None = None
        self.failed_run = False
        self.finished: Finish | None = None
        self.at = 0  # microseconds
        self.awaited: frozenset[str] = frozenset()
        self.starts: list[tuple[Place, Any]] = []
        self.cuts: list[Place] = []
        self._ids: set[str] = set()

    # -- what the world asks -----------------------------------------------------

    def places(self) -> list[Place]:
        """Every place that has come to life, in a fixed order."""
        found = list(self.steps.values())
        for items in self.fans.values():
            found += items.places.values()
        return found

    def holding(self, state: str) -> list[Place]:
        return [place for place in self.places() if place.state == state]

    def halting(self, place: Place) -> bool:
        """Whether nothing more may be started at this place."""
        if self.stopped and not self.cleanup[place.step]:
            return True
        return place.index is not None and self.fans[place.step].failing

    def note(self, event: Event) -> bool:
        match event:
            case Started() | CancelRequested():
                return True
            case CallSucceeded(call=call):
                return self._succeeded(self._at(call, "open"), event.output)
            case CallFailed(call=call):
                place = self._at(call, "open")
                return place is not None and after_failure(self, place, event)
            case TimerFired(call=call):
                place = self._at(call, "resting")
                return self._called_again(place)
            case Resolved(call=call, outcome=outcome):
                place = self._at(call, "unknown")
                if outcome == "again":
                    return self._asked_again(place)
                if outcome == "succeeded":
                    return self._succeeded(place, event.output)
                return place is not None and self.fail(place)
            case Evaluated():
                return self._evaluated(event)
        return False

    def _at(self, call: str, state: str) -> Place | None:
        return next((p for p in self.places() if p.call == call and p.state == state), None)

    def _succeeded(self, place: Place | None, output: Any) -> bool:
        if place is not None:
            place.state, place.output = "ok", output
        return place is not None

    def _called_again(self, place: Place | None) -> bool:
        if place is not None:
            place.expect, place.state = "call", "idle"
        return place is not None

    def _asked_again(self, place: Place | None) -> bool:
        """A person has a call made again: at once, or when the window has room."""
        items = None if place is None else self.fans.get(place.step)
        if place is None or items is None:
            return self._called_again(place)
        if items.count(BUSY) < self.drafts[place.step].concurrency:
            return self._called_again(place)
        place.state = "queued"
        return True

    def _evaluated(self, event: Evaluated) -> bool:
        name, _, kind = event.place.partition("?")
        if not name:
            waits = self.output_asked and self.output_answer is None
            self.output_answer = self.output_answer or (event if waits else None)
            return waits
        place = next((p for p in self.holding("evaluating") if p.name == name), None)
        if place is None or kind != place.asking:
            return False
        place.asked.add(kind)
        place.state = "idle"
        return True if event.failure is None else self.fail(place)

    def fail(self, place: Place) -> bool:
        """A place has failed for good."""
        place.state = "failed"
        if place.index is not None and not self.drafts[place.step].continues:
            self.fans[place.step].failing = True
        return True

    # -- commands ----------------------------------------------------------------

    def judge(self, command: Command) -> None:
        match command:
            case CallTool():
                self._call(command)
            case SetTimer(call=call, due=due):
                place = self._at(call, "open")
                require(place and place.expect.startswith("rest"), f"{call} rests unasked")
                assert place is not None
                low, high = place.rest
                require(low <= due <= high, f"{call} rests until {due}, not {low} to {high}")
                place.state, place.due, place.expect = "resting", due, ""
            case CancelCall(call=call):
                place = self._at(call, "open")
                require(place, f"{call} is cancelled, and was not under way")
                assert place is not None
                place.state = "lost" if self.drafts[place.step].effect == "once" else "cut"
                self.cuts.append(place)
            case Evaluate():
                self._evaluate(command)
            case AwaitResolution(calls=calls):
                require(frozenset(calls) != self.awaited, "the same calls are awaited twice")
                self.awaited = frozenset(calls)
            case Finish():
                require(self.finished is None, "a second Finish")
                self.finished = command

    def _call(self, command: CallTool) -> None:
        step, index, number = parse(command.call)
        place = self._place(step, index)
        require(command.call not in self._ids, f"the call id {command.call} is used twice")
        self._ids.add(command.call)
        require(number == place.calls + 1, f"{command.call} after {place.calls} calls")
        require((command.attempt, command.item) == (number, index), f"{command.call} is misnamed")
        if number == 1:
            require(place.state == "idle", f"{command.call} while {place.state}")
            self.starts.append((place, command.args))
            place.began = self.at
        else:
            asked = place.expect == "call" or place.state == "queued"
            require(asked, f"{command.call} is made unasked")
        place.state, place.expect, place.call, place.calls = "open", "", command.call, number
        self._in_window(place)

    def _evaluate(self, command: Evaluate) -> None:
        name, _, kind = command.place.partition("?")
        if not name:
            require(not self.output_asked, "the output is evaluated twice")
            self.output_asked = True
            return
        step, _, index = name.rstrip("]").partition("[")
        place = self._place(step, int(index) if index else None)
        draft = self.drafts[step]
        large = {"when": draft.large_when, "with": draft.large_args, "for_each": draft.large_items}
        require(large[kind] and kind not in place.asked, f"{command.place} is evaluated elsewhere")
        require(place.state == "idle", f"{command.place} while {place.state}")
        place.state, place.asking = "evaluating", kind
        if not place.asked or place.asked == {"when"}:
            self.starts.append((place, None))
        self._in_window(place)

    def _place(self, step: str, index: int | None) -> Place:
        if index is None:
            return self.steps[step]
        if step not in self.fans:
            draft = self.drafts[step]
            assert draft.items is not None
            self.fans[step] = Items([])  # its list is filled in when the outputs are known
        return self.fans[step].places.setdefault(index, Place(step, index))

    def _in_window(self, place: Place) -> None:
        if place.index is not None:
            busy = self.fans[place.step].count(BUSY)
            wide = self.drafts[place.step].concurrency
            require(busy <= wide, f"{place.step}: {busy} items at once, {wide} are allowed")

    # -- stopping ----------------------------------------------------------------

    def stop(self, event: Event, run: Run, before: dict[str, str]) -> None:
        for life in run.lives:
            name = life.step.name
            if life.status == "failed" and not self.blueprint.tolerated(name):
                self.stopped = self.failed_run = True
        life_status = {life.step.name: life.status for life in run.lives}
        asked = isinstance(event, CancelRequested)
        for name, place in self.steps.items():
            under_way = before[name] in ("running", "resting", "unknown")
            halted = self.stopped and (not self.cleanup[name] or (asked and under_way))
            items = self.fans.get(name)
            places = [place] if items is None else [*items.places.values()]
            # What succeeded in this very turn did so before the run stopped.
            over = self.status[name] in FINAL or life_status[name] == "succeeded"
            if items is not None and halted and not over:
                items.halted = True
            if halted or (items is not None and items.failing):
                for part in places:
                    self._halt(part, everything=halted)
        for place in self.cuts:
            items = self.fans.get(place.step)
            failing = items is not None and (items.failing or items.halted)
            fair = self.stopped or failing
            require(fair, f"{place.name} is cancelled, and nothing stops")
            require(place.state == "cut" or self.cancelled, f"{place.name} is cancelled, yet once")
        self.cuts.clear()

    def _halt(self, place: Place, *, everything: bool) -> None:
        if place.state in ("resting", "evaluating"):
            place.state = "cut"
        elif place.state in ("unknown", "queued") and everything:
            place.state = "lost"
        elif place.state == "open":
            once = self.drafts[place.step].effect == "once"
            drains = once and not (self.cancelled and everything)
            require(drains, f"{place.name} goes on, though all else stops")
