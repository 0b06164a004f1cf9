"""The oracle: from the document and the history alone, what the kernel may and must do.

It is told each event with the commands it gave, and raises `Violation`. It
shares no code with the kernel: edges, conditions and arguments come from the
blueprint, retries are worked out again from the document.
"""

from __future__ import annotations

from typing import Any

from tests.simulation.blueprints import Draft
from tests.simulation.history import FINAL, History
from tests.simulation.places import BUSY, LIVE, Items, Place, arguments, require

from drawloom.kernel import CancelRequested, Command, Event, Run, SetTimer


class Oracle(History):
    """Judges one run of one blueprint."""

    def observe(self, event: Event, commands: list[Command], run: Run) -> None:
        """Judge one turn. Raises `Violation`."""
        require(self.finished is None or not commands, "a finished run gave commands")
        self.at = event.at
        known = self.note(event)
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
            self.judge(command)
        self.stop(event, run, before)
        for life in sorted(run.lives, key=lambda life: life.step.name):
            self._walk(life.step.name, life.status, was_stopped)
        require(not self.starts, f"started without a step: {self.starts}")
        for place in self.places():
            require(not place.expect, f"{place.name}: no {place.expect} after {event}")
        self._end(commands, run)

    # -- each step after the turn ------------------------------------------------

    def _walk(self, name: str, status: str, was_stopped: bool) -> None:
        old = self.status[name]
        if old in FINAL or (old == "unknown" and self._settled(name)):
            require(status == old, f"{name} was {old} for good, and is {status}")
        mine = [start for start in self.starts if start[0].step == name]
        self.starts = [start for start in self.starts if start[0].step != name]
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
