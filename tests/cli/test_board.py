"""What people are told of a run under way, worked out from its facts."""

from __future__ import annotations

from drawloom.cli.board import Board
from drawloom.cli.progress import LineProgress
from drawloom.facts import (
    BreakerChanged,
    CallQueued,
    CallStarted,
    Fact,
    InstanceChanged,
    StepEnded,
    ToolCall,
)


def lines(capsys: object, *facts: Fact) -> list[str]:
    board = Board("r", "c", {"ask": "http.get", "each": "http.get"})
    progress = LineProgress(board)
    with progress:
        progress.acknowledge("r")
        for fact in facts:
            progress.sink(fact)
    told: list[str] = capsys.readouterr().err.splitlines()  # type: ignore[attr-defined]
    return told[1:]


def test_what_a_call_has_to_wait_for_is_told(capsys: object) -> None:
    told = lines(
        capsys,
        CallStarted("r", "ask", "ask#1", 1, 0),
        CallQueued("r", "ask", "ask#1", "http.get", "api", "connection", 0),
        CallQueued("other", "ask", "ask#1", "http.get", "api", "rate", 0),
        CallQueued("r", "ask", "ask#1", "http.get", "api", "rate", 0),
    )
    assert told == [
        "ask: running http.get",
        "ask: queued for a place on connection api",
        "ask: queued for the rate limit of api",
    ]


def test_a_kept_answer_is_told_and_counts_as_an_item_done(capsys: object) -> None:
    board = Board("r", "c", {"each": "http.get"})
    board.take(CallStarted("r", "each", "each[0]#1", 1, 0, item=0, total=2))
    for item, cached in ((0, ""), (1, "fresh")):
        call = f"each[{item}]#1"
        board.take(ToolCall("r", "each", call, "http.get", 1, 5, 0, 0, item=item, cached=cached))
    assert board.rows["each"].done == 2
    told = lines(capsys, ToolCall("r", "ask", "ask#1", "http.get", 1, 5, 0, 0, cached="stale"))
    assert told == ["ask: a kept answer of http.get (stale)"]


def test_breakers_and_instances_are_told_to_everybody(capsys: object) -> None:
    told = lines(
        capsys,
        BreakerChanged("http.get", "api#1", "open", 0),
        InstanceChanged("api", "api#1", "ejected", "breaker", 0, "http.get"),
        InstanceChanged("api", "api#2", "back", "health-check", 0),
    )
    assert told == [
        "breaker of http.get on api#1: open",
        "instance api#1: left out for http.get (breaker)",
        "instance api#2: used again (health-check)",
    ]


def test_who_waits_no_more_is_no_longer_said_to() -> None:
    board = Board("r", "c", {"ask": "http.get"})
    board.take(CallQueued("r", "ask", "ask#1", "http.get", "api", "rate", 0))
    assert board.rows["ask"].queued
    board.take(StepEnded("r", "ask", "succeeded", 0))
    assert not board.rows["ask"].queued
