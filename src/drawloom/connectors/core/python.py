"""A step written in Python, run in a sandbox."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from drawloom.connectors.core.connection import connector
from drawloom.connectors.core.ended import output_of
from drawloom.connectors.core.sandbox import here
from drawloom.sdk import Context, Json, check_value


@connector.tool(effect="read", isolation="sandbox")
def python(
    code: Annotated[
        str, Field(min_length=1, description="Reads `input`, and assigns to `output`.")
    ],
    context: Context,
    input: Annotated[dict[str, Json], Field(description="What the code reads as `input`.")] = {},  # noqa: B006  # never changed
    output: Annotated[
        dict[str, Any] | None, Field(description="JSON Schema (2020-12) of the output.")
    ] = None,
) -> Json:
    """Run Python code in a sandbox, and give what it assigns to `output`.

    Off unless drawloom.toml has `[code] enabled = true`. The code has the standard
    library (a part of Python where the sandbox is Monty), and no network, files,
    environment or other processes; what it prints goes to the run's log. `resources`
    of the step limit it. It can change nothing outside, so it may run again after a
    crash; it may read a clock or draw a random number, so it counts as `read` and not
    as `pure`.
    """
    ended = here().run(code, input)
    for line in ended.printed.splitlines():
        context.say(line)
    given = output_of(ended)
    if output is not None:
        check_value(output, given, where="what the code gave")
    return given
