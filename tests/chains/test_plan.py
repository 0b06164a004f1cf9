"""What a plan is: order, derived connections, digests, input; compiled once, never changed."""

import dataclasses

import pytest

from drawloom import compile_chain, load, tool
from drawloom.chains import Connection
from drawloom.errors import ChainInvalid, ValueInvalid
from drawloom.runtime import Catalogue


@tool(effect="pure", inline=True)
def echo(v: list[int] | int | str | None = None) -> int | str | list[int] | None:
    """Give back v."""
    return v


@tool(effect="pure", inline=True)
def listed(v: list[int]) -> list[int]:
    """Give back a list."""
    return v


@tool(effect="once", timeout=7)
def send(v: int) -> None:
    """Send."""


CATALOGUE = Catalogue([echo, listed, send])


def plan(text):
    return compile_chain(load(text), CATALOGUE.find)


def test_connections_are_derived_from_references_and_from_after():
    made = plan(
        "chain: c\nsteps:\n"
        "  b: {use: my.echo, with: {v: '${steps.a}'}, when: steps.a > 1}\n"
        "  a: {use: my.echo, with: {v: 1}}\n"
        "  c: {use: my.echo, after: {b: finished}}\n"
        "  d: {use: my.echo, with: {v: '${failures.b.message}'}}\n"
    )

    assert ["a", "b", "c", "d"] == [step.name for step in made.steps]
    assert {
        Connection("a", "b", "succeeded", ("steps.a",), "steps.a > 1"),
        Connection("b", "c", "finished", (), None),
        Connection("b", "d", "failed", ("failures.b.message",), None),
    } == set(made.connections)


def test_who_reads_the_failure_of_a_step_that_continues_runs_after_it_either_way():
    made = plan(
        "chain: c\nsteps:\n"
        "  a: {use: my.echo, on_error: continue}\n"
        "  b: {use: my.echo, with: {v: \"${failures.a.message ?? 'fine'}\"}}\n"
    )

    assert "finished" == made.connections[0].outcome


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            "{a: {use: my.echo, with: {v: '${steps.b}'}}, b: {use: my.echo, with: {v: '${steps.a}'}}}",
            "wait for each other",
        ),
        ("{a: {use: my.echo, with: {v: '${steps.nope}'}}}", "which is no step"),
        ("{a: {use: my.echo, with: {v: '${$keys(steps)}'}}}", "name the step"),
        ("{a: {use: my.echo, with: {v: '${**.x}'}}}", "name the step"),
        ("{a: {use: my.echo, when: 'a b c'}}", "when"),
    ],
)
def test_what_cannot_be_ordered_or_read_is_refused(steps, said):
    with pytest.raises(ChainInvalid, match=said):
        plan(f"chain: c\nsteps: {steps}\n")


def test_the_digest_names_what_runs_and_nothing_else():
    text = "chain: c\nsteps: {a: {use: my.echo, with: {v: 1}}}\n"

    assert plan(text).digest == plan("# a comment\n" + text + "ui: {x: 1}\nnote: looks\n").digest
    assert plan(text).digest != plan(text.replace("v: 1", "v: 2")).digest


def test_a_plan_keeps_the_effects_that_it_was_compiled_with():
    chain = load("chain: c\nsteps: {a: {use: my.echo}}\n")
    kept = compile_chain(chain, CATALOGUE.find, {"my.echo": "once"})

    assert not kept.steps[0].effect.repeatable
    assert kept.digest != compile_chain(chain, CATALOGUE.find).digest


def test_input_gets_its_defaults_is_converted_and_checked():
    made = plan(
        "chain: c\ninput: {days: {type: integer, default: 30, minimum: 1}, who: {type: string}}\n"
        "steps: {a: {use: my.echo}}\n"
    )

    assert {"days": 30, "who": "x"} == made.accept_input({"who": "x"})
    assert {"days": 7, "who": "x"} == made.accept_input({"who": "x", "days": "7"})
    for given, place in [
        ({}, "who"),
        ({"who": "x", "days": 0}, "minimum"),
        ({"who": "x", "dais": 1}, "dais"),
    ]:
        with pytest.raises(ValueInvalid, match=place):
            made.accept_input(given)


def test_defaults_are_not_shared_between_runs():
    made = plan("chain: c\ninput: {xs: {type: array, default: []}}\nsteps: {a: {use: my.echo}}\n")
    made.accept_input({})["xs"].append("mine")

    assert {"xs": []} == made.accept_input({})


def test_arguments_are_converted_where_nothing_is_lost_and_refused_where_it_would_be():
    made = plan("chain: c\nsteps: {a: {use: my.send, with: {v: 1}}}\n").steps[0]

    assert {"v": 5} == made.accept({"v": "5"})
    assert {"v": 5} == made.accept({"v": 5.0})
    for lost in ("5.5", 5.5, "five", None, True):
        with pytest.raises(ValueInvalid):
            made.accept({"v": lost})


def test_a_step_has_a_deadline_its_own_the_tools_or_the_default():
    steps = plan(
        "chain: c\nsteps: {a: {use: my.send, with: {v: 1}}, b: {use: my.echo}, "
        "c: {use: my.echo, timeout: 90s}}\n"
    ).by_name

    assert [7, 300, 90] == [steps[n].timeout for n in "abc"]


def test_a_plan_cannot_be_changed():
    made = plan("chain: c\nvars: {x: 1}\nsteps: {a: {use: my.echo}}\n")

    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.steps[0].timeout = 1
    for mapping in (made.variables, made.document, made.slots, made.effects):
        with pytest.raises(TypeError):
            mapping["new"] = 1


def test_only_who_asks_for_any_end_is_clean_up():
    steps = plan(
        "chain: c\nsteps:\n"
        "  a: {use: my.echo, on_error: continue}\n"
        "  reads: {use: my.echo, with: {v: \"${failures.a.message ?? 'fine'}\"}}\n"
        "  asks: {use: my.echo, after: {a: finished}}\n"
        "  follows: {use: my.echo, after: [asks]}\n"
    ).by_name

    assert {"asks", "follows"} == {name for name, step in steps.items() if step.cleanup}


def test_an_argument_that_does_not_fit_is_named_by_its_place_in_the_step():
    made = plan("chain: c\nsteps: {a: {use: my.listed, with: {v: ['${input.x ?? 1}']}}}\n").steps[
        0
    ]

    with pytest.raises(ValueInvalid, match='"x"') as caught:
        made.accept({"v": [1, "x"]})
    assert "/with/v/1" == caught.value.path
