"""Which answer a call gets, and which of the answers nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.testing.case import Answer, Answers


@dataclass(frozen=True, slots=True)
class Made:
    """A call that a run made. `step` is `STEP`, or `CHAIN/STEP` in a sub-chain."""

    step: str
    call: str
    args: Mapping[str, Any]


class Script:
    """The answers of one test, given out call by call."""

    def __init__(self, answers: Mapping[str, Answers]) -> None:
        self._answers = answers
        self._given = dict.fromkeys(answers, 0)
        self._lasting: set[str] = set()  # keys whose last answer given is a stream's, and stays
        self.made: list[Made] = []
        self.problems: list[str] = []

    def made_by(self, step: str) -> list[Made]:
        """The calls of a step, in order."""
        return [made for made in self.made if made.step == step]

    def use(self, key: str) -> None:
        """Note that the answer *key* has been given, other than to a call."""
        self._given[key] += 1

    def answer(self, made: Made, place: str, tool: str, *, lasting: bool = False) -> Answer | None:
        """The answer to a call; the nearest key counts: call, item, step, then tool.

        *place* is the step, or the item of it (`tell[3]`). None where the test says
        nothing of the call. With *lasting* an output answers every further call,
        as the whole of a stream does, which is read bit by bit.
        """
        prefix = made.step.rpartition("/")[0]
        front = f"{prefix}/" if prefix else ""
        for key in (f"{front}{made.call}", f"{front}{place}", made.step, tool):
            if key in self._answers:
                return self._stay(key, made) if lasting else self._next(key, made)
        return None

    def _stay(self, key: str, made: Made) -> Answer:
        if key in self._lasting:
            self._given[key] -= 1
        answer = self._next(key, made)
        if answer.failure is None:
            self._lasting.add(key)
        return answer

    def _next(self, key: str, made: Made) -> Answer:
        number = self._given[key]
        self._given[key] += 1
        answers = self._answers[key]
        if answers.for_all:
            return answers.each[0]
        for answer in answers.each:
            if number < answer.times:
                return answer
            number -= answer.times
        self.problems.append(
            f"answers.{key} has {answers.count}, and {made.call} is call {self._given[key]}; "
            "add an answer, or expect fewer attempts"
        )
        return answers.each[-1]

    def unused(self) -> Iterator[str]:
        """What is wrong with the answers that were not, or not all, asked for."""
        for key, given in self._given.items():
            count = self._answers[key].count
            if given == 0:
                yield f"answers.{key} was never asked for; remove it, or see why the step did not call"
            elif count is not None and given < count:
                yield f"answers.{key} has {count}, and {given} were asked for"
