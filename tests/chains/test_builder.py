"""Chains from Python are the same documents as from YAML."""

import pytest

import drawloom
from drawloom import Ref, Retry, expr, index, item, load, step
from drawloom.chains.check import check
from drawloom.errors import ChainInvalid, RunFailed
from drawloom.runtime import Catalogue


@drawloom.tool(effect="pure", inline=True)
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@drawloom.tool(effect="pure", inline=True)
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


@drawloom.tool(effect="pure")
async def refuse(text: str) -> str:
    """Refuse."""
    raise ValueError(text)


def test_a_traced_chain_is_the_document_that_yaml_gives():
    @drawloom.chain("sums", version="1.2.0", vars={"limit": 3})
    def sums(days: Ref[int] = 30, names: list[str] = []):  # noqa: B006  # it becomes a schema's default
        """Add and shout."""
        first = add(days, b=2)
        more = step(add, "more", when=first > 3, retry=Retry(attempts=4), timeout="5s")(a=first)
        loud = step(shout, for_each=names, concurrency=2, after=[more])(
            text=f"{index}: {item.name}!"
        )
        return {"more": more, "loud": expr("$count({x})", x=loud)}

    written = load(
        """
        chain: sums
        version: 1.2.0
        description: Add and shout.
        input:
          days: {type: integer, default: 30}
          names: {type: array, items: {type: string}, default: []}
        vars: {limit: 3}
        steps:
          add: {use: my.add, with: {a: "${input.days}", b: 2}}
          more:
            use: my.add
            when: (steps.add > 3)
            retry: {attempts: 4}
            timeout: 5s
            with: {a: "${steps.add}"}
          shout:
            use: my.shout
            for_each: ${input.names}
            concurrency: 2
            after: {more: succeeded}
            with: {text: "${index}: ${item.name}!"}
        output: {more: "${steps.more}", loud: "${($count(steps.shout))}"}
        """
    )

    assert written.document == sums.chain.document
    assert written.steps == sums.chain.steps


def test_a_tool_stays_a_plain_function():
    assert 3 == add(1, 2)
    assert "X" == shout("x")


def test_text_that_looks_like_a_reference_stays_text():
    @drawloom.chain("literal")
    def literal(name: str):
        return {"said": shout(text=f"${{input.name}} is {name}")}

    assert {"said": "${INPUT.NAME} IS ADA"} == drawloom.run(literal, {"name": "Ada"}).output


def test_steps_of_the_same_tool_are_numbered_and_a_taken_name_is_refused():
    @drawloom.chain("twice")
    def twice(n: int):
        return {"n": add(a=add(a=n))}

    assert ["add", "add_2"] == list(twice.chain.steps)
    with pytest.raises(ChainInvalid, match="already a step 'x'"):

        @drawloom.chain("clash")
        def clash(n: int):
            step(add, "x")(a=n)
            step(add, "x")(a=n)


@pytest.mark.parametrize(
    "misuse", [lambda ref: bool(ref), lambda ref: list(ref), lambda ref: 1 if ref > 2 else 0]
)
def test_a_value_that_is_not_known_yet_cannot_decide(misuse):
    with pytest.raises(ChainInvalid, match="not known yet"):
        misuse(Ref("input.n"))


def test_running_needs_no_project_and_failing_raises_with_the_result():
    @drawloom.chain("fails")
    def fails(text: str):
        refuse(text=text)

    with pytest.raises(RunFailed, match="refuse: ValueError: no") as caught:
        drawloom.run(fails, {"text": "no"})
    assert "failed" == caught.value.result.steps["refuse"].status


async def test_a_run_with_a_state_directory_is_kept(tmp_path):
    @drawloom.chain("kept")
    def kept(n: int):
        return {"n": add(a=n)}

    result = await drawloom.run_async(kept, {"n": 1}, state=tmp_path / "state")
    async with drawloom.Engine(Catalogue([add]), state=tmp_path / "state") as engine:
        assert {"n": 2} == (await engine.wait(result.run)).output


def test_a_plan_is_compiled_once_from_any_form(tmp_path):
    text = "chain: t\nsteps: {a: {use: my.add, with: {a: 1}}}\noutput: ${steps.a}\n"
    (tmp_path / "t.yaml").write_text(text)
    digests = {
        drawloom.plan(form, [add]).digest for form in (text, load(text), tmp_path / "t.yaml")
    }

    assert 1 == len(digests)


def test_a_traced_chain_passes_the_check():
    @drawloom.chain("fine", version="1.0.0")
    def fine(n: int):
        return {"n": add(a=n)}

    assert () == tuple(check(fine.chain, Catalogue([add])))
