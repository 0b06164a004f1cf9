"""What tools write to the log of their run is told to whoever watches."""

from __future__ import annotations

from tests.drivers.conftest import Compile, MakeEngine

from drawloom.facts import Fact, Line


async def test_a_line_of_a_tool_is_told(make_engine: MakeEngine, compile_for: Compile) -> None:
    told: list[Fact] = []
    async with make_engine(durability="memory") as engine:
        engine.watch(told.append)
        text = "{chain: c, steps: {a: {use: core.log, with: {message: hello, data: 1}}}}"
        await engine.run(compile_for(engine, text), run_id="r")
    [line] = [fact for fact in told if isinstance(fact, Line)]
    assert (line.run, line.step, line.message) == ("r", "a", "hello")
    assert line.data == {"level": "info", "data": 1}
