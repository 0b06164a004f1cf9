"""The oracle: from the document and the history alone, what the kernel may and must do.

It is told each event with the commands it gave, and raises `Violation`. It
shares no code with the kernel: edges, conditions and arguments come from the
blueprint, retries are worked out again from the document.
"""

from __future__ import annotations

from typing import Any

from tests.simulation.blueprints import Blueprint, Draft
from tests.simulation.places import BUSY, LIVE, Items, Place, arguments, parse, require
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


class Oracle:
    """Judges one run of one blueprint."""

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
        self._starts: list[tuple[Place, Any]] = []
        self._cuts: list[Place] = []
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

    # -- one event and its commands ----------------------------------------------

    def observe(self, event: Event, commands: list[Command], run: Run) -> None:
        """Judge one turn. Raises `Violation`."""
        require(self.finished is None or not commands, "a finished run gave commands")
        self.at = event.at
        known = self._note(event)
        require(known or not commands, f"{event} answers nothing, yet gave {commands}")
        was_stopped, before = self.stopped, dict(self.status)
        if isinstance(event, CancelRequested):
            self.cancelled = self.stopped = True
        rests = {command.call for command in commands if isinstance(command, SetTimer)}
        for place in self.places():
            if place.expect == "rest or fail" and place.call not in rests:  # its budget is spent
                place.expect = ""
                self.fail(place)
        for command in commands:
            self._judge(command)
        self._stop(event, run, before)
        for life in sorted(run.lives, key=lambda life: life.step.name):
            self._walk(life.step.name, life.status, was_stopped)
        require(not self._starts, f"started without a step: {self._starts}")
        for place in self.places():
            require(not place.expect, f"{place.name}: no {place.expect} after {event}")
        self._end(commands, run)

    def _note(self, event: Event) -> bool:
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

    def _judge(self, command: Command) -> None:
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
                self._cuts.append(place)
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
            self._starts.append((place, command.args))
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
            self._starts.append((place, None))
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

    def _stop(self, event: Event, run: Run, before: dict[str, str]) -> None:
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
        for place in self._cuts:
            items = self.fans.get(place.step)
            failing = items is not None and (items.failing or items.halted)
            fair = self.stopped or failing
            require(fair, f"{place.name} is cancelled, and nothing stops")
            require(place.state == "cut" or self.cancelled, f"{place.name} is cancelled, yet once")
        self._cuts.clear()

    def _halt(self, place: Place, *, everything: bool) -> None:
        if place.state in ("resting", "evaluating"):
            place.state = "cut"
        elif place.state in ("unknown", "queued") and everything:
            place.state = "lost"
        elif place.state == "open":
            once = self.drafts[place.step].effect == "once"
            drains = once and not (self.cancelled and everything)
            require(drains, f"{place.name} goes on, though all else stops")

    # -- each step after the turn ------------------------------------------------

    def _walk(self, name: str, status: str, was_stopped: bool) -> None:
        old = self.status[name]
        if old in FINAL or (old == "unknown" and self._settled(name)):
            require(status == old, f"{name} was {old} for good, and is {status}")
        mine = [start for start in self._starts if start[0].step == name]
        self._starts = [start for start in self._starts if start[0].step != name]
        if mine:
            self._may_start(name, was_stopped)
        if self.drafts[name].items is not None and self._goes(name, status):
            allowed = self._walk_items(name)
        else:
            allowed = self._allowed(name)
        for place, args in mine:
            self._check_start(place, args)
        require(status in allowed, f"{name} is {status}, not {' or '.join(sorted(allowed))}")
        self.status[name] = status
        if status == "succeeded" and name not in self.outputs:
            self.outputs[name] = self._output(name)

    def _settled(self, name: str) -> bool:
        items = self.fans.get(name)
        if items is None:
            return self.steps[name].state == "lost"
        return items.halted

    def _ended(self, name: str) -> bool:
        status = self.status[name]
        return status in FINAL or (status == "unknown" and self._settled(name))

    def _dead(self, name: str) -> bool:
        draft = self.drafts[name]
        alive = [
            self.status[source] == outcome
            or (outcome == "finished" and self.status[source] != "skipped")
            for source, outcome in draft.edges.items()
        ]
        return bool(alive) and not (any(alive) if draft.join_any else all(alive))

    def _due(self, name: str) -> bool:
        return all(self._ended(source) for source in self.drafts[name].edges)

    def _may_start(self, name: str, was_stopped: bool) -> None:
        require(self._due(name), f"{name} started before what it needs had ended")
        require(not self._dead(name), f"{name} started, though its needs were not met")
        require(not was_stopped or self.cleanup[name], f"{name} started after the run stopped")

    def _goes(self, name: str, status: str) -> bool:
        """Whether the list of a `for_each` has been reached."""
        place, draft = self.steps[name], self.drafts[name]
        if place.state != "idle" or not self._due(name) or self._dead(name):
            return False
        if name in self.fans:
            return True
        if status == "cancelled" and self.stopped and not self.cleanup[name]:
            return False
        if draft.large_when and "when" not in place.asked:
            return False
        met = draft.when is None or draft.when(self.outputs) is True
        return met and (not draft.large_items or "for_each" in place.asked)

    def _allowed(self, name: str) -> set[str]:
        place, draft = self.steps[name], self.drafts[name]
        known = {
            "open": "running", "resting": "resting", "evaluating": "evaluating", "ok": "succeeded",
            "failed": "failed", "cut": "cancelled", "unknown": "unknown", "lost": "unknown",
        }  # fmt: skip
        if place.state != "idle":
            return {known[place.state]}
        cut = {"cancelled"} if self.stopped and not self.cleanup[name] else set()
        if not self._due(name):
            return cut or {"waiting"}
        if self._dead(name):
            return {"skipped"} | cut
        met = True if draft.when is None else draft.when(self.outputs)
        if draft.large_when and "when" not in place.asked:
            return cut
        if met is False:
            return {"skipped"} | cut
        if met is not True or (draft.broken and draft.items is None):
            return {"failed"} | cut
        return cut

    def _check_start(self, place: Place, args: Any) -> None:
        draft = self.drafts[place.step]
        met = draft.when is None or draft.when(self.outputs) is True
        large_when = draft.large_when and "when" not in self.steps[place.step].asked
        require(met or large_when, f"{place.name} started, though its condition is false")
        if place.index is not None and draft.item_when is not None:
            require(draft.item_when(place.index), f"{place.name} should have been skipped")
        if args is not None:
            require(not draft.broken, f"{place.name} started with arguments that lead nowhere")
            wanted = arguments(draft, self.outputs, self.fans.get(place.step), place.index)
            require(args == wanted, f"{place.name} was called with {args}, not {wanted}")

    # -- for_each ----------------------------------------------------------------

    def _walk_items(self, name: str) -> set[str]:
        draft = self.drafts[name]
        assert draft.items is not None
        items = self.fans.setdefault(name, Items([]))
        if not items.values:
            items.values = draft.items(self.outputs)
        self._pass_over(name, items)
        free = items.count(BUSY) < draft.concurrency
        require(not (free and items.count({"queued"})), f"{name}: an item should go again")
        live, total = items.count(LIVE), len(items.values)
        if items.failing and not live and not items.count({"lost"}):
            return {"failed"}
        if items.halted:
            return self._halted(draft, items, total)
        if live or (items.next < total and not items.failing):
            return {"running"}
        return {"succeeded"}

    def _halted(self, draft: Draft, items: Items, total: int) -> set[str]:
        if items.count(BUSY):
            return {"running"}
        if items.count({"lost"}):
            return {"unknown"}
        if items.count({"cut"}):
            return {"cancelled"}
        rest, calls = range(items.next, total), draft.item_when or (lambda index: True)
        if any(calls(index) for index in rest):
            return {"cancelled"}
        # What is left is to be skipped: that was before the run stopped in that turn, or never.
        return {"succeeded", "cancelled"} if rest else {"succeeded"}

    def _pass_over(self, name: str, items: Items) -> None:
        """Items that end without a call, up to the first that must be under way by now."""
        draft, total = self.drafts[name], len(items.values)
        started = max(items.places, default=-1)
        while items.next < total:
            index = items.next
            if index not in items.places:
                behind = index < started
                free = items.count(BUSY) < draft.concurrency
                if not behind and (items.failing or items.halted or not free):
                    return
                place = items.places[index] = Place(name, index)
                if draft.item_when is not None and not draft.item_when(index):
                    place.state = "skipped"
                else:
                    require(draft.broken, f"{place.name} should be under way")
                    self.fail(place)
            items.next += 1

    def _output(self, name: str) -> Any:
        items = self.fans.get(name)
        if items is None:
            return self.steps[name].output
        ordered = [items.places[index] for index in sorted(items.places)]
        return [place.output for place in ordered if place.state == "ok"]

    # -- the whole run -----------------------------------------------------------

    def _end(self, commands: list[Command], run: Run) -> None:
        require(run.scope["steps"] == self.outputs, "an output belongs to another step or item")
        open_places = [place.name for place in self.places() if place.state in BUSY]
        unknown = frozenset(place.call for place in self.holding("unknown"))
        over = all(self._ended(name) for name in self.drafts)
        if not over:
            require(self.finished is None, "it finished, though steps were open")
            if open_places:
                return
            require(unknown, "nothing is under way, and nobody is asked")
            require(self.awaited == unknown, f"{set(unknown)} wait, {set(self.awaited)} are asked")
            return
        require(not open_places, f"all steps have ended, yet {open_places} are under way")
        self._judge_end()

    def _judge_end(self) -> None:
        finish, wanted = self.finished, self._wanted_end()
        if wanted is None:
            require(finish is None, "it finished before its output was evaluated")
            return
        require(finish is not None, "all steps have ended, and the run has not")
        assert finish is not None
        require(finish.status == wanted, f"it finished as {finish.status}, not {wanted}")
        require((finish.failure is None) == (wanted == "succeeded"), "a failure is missing")
        if wanted == "succeeded":
            output = self.blueprint.output(self.outputs)
            require(finish.output == output, f"the output is {finish.output}, not {output}")

    def _wanted_end(self) -> str | None:
        if self.cancelled:
            return "cancelled"
        if self.failed_run:
            return "failed"
        if not self.blueprint.output_large:
            return "failed" if self.blueprint.output_broken else "succeeded"
        if self.output_answer is None:
            require(self.output_asked, "the output is not evaluated")
            return None
        return "succeeded" if self.output_answer.failure is None else "failed"
