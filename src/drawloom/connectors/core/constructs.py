"""What the engine does itself: start a chain, wait, ask a person, complete rows by a lookup.

These are tools to whoever writes a chain; here they only have a text and schemas.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.core.connection import connector
from drawloom.sdk import Json, Row

# The order of the units is judged at run time: these patterns know no look-ahead.
_DURATION = r"^([0-9]+(\.[0-9]+)?(d|h|m|s|ms))+$"
Duration = (
    Annotated[str, Field(pattern=_DURATION, max_length=40)]
    | Annotated[float, Field(ge=0, le=1e12)]
)
OnDeadline = Annotated[
    Literal["fail", "continue"], Field(description="What then: fail, or go on without it.")
]


class Waited(TypedDict):
    """How a wait ended; `at` is in milliseconds since 1970 (UTC)."""

    received: bool
    signal: str | None
    payload: Json
    at: int


class Decision(TypedDict):
    """What people said; `late` where the deadline decided. `at` is in milliseconds since 1970."""

    approved: bool
    by: list[str]
    answers: dict[str, Json]
    comments: dict[str, str]
    late: bool
    at: int


class Enriched(TypedDict):
    """The rows with what was found, and how many of them had nothing found."""

    rows: list[Row]
    missing: int


def _engine() -> NoReturn:
    raise NotImplementedError("the engine does this itself: use it in a chain")


@connector.tool(effect="keyed", construct="chain")
def chain(
    chain: Annotated[str, Field(description="The chain's name, written out.")],
    input: Annotated[dict[str, Json] | None, Field(description="The input of its run.")] = None,
    connections: Annotated[
        dict[str, str] | None,
        Field(description="Its slots, each with the slot of this chain that it uses."),
    ] = None,
) -> Json:
    """Run another chain, and give what it gives.

    It is a run of its own, linked to this one; it stops when this one is stopped,
    after its clean-up. Its slots are bound like those of this chain that have the
    same name. `timeout` bounds it, and only a `retry` of the step starts it anew.
    """
    _engine()


@connector.tool(effect="pure", construct="wait")
def wait(
    duration: Annotated[Duration | None, Field(description="Such as 90s, 5m or 1h30m.")] = None,
    until: Annotated[
        str | None, Field(description="An instant with its zone, as in RFC 3339.")
    ] = None,
    signal: Annotated[
        str | None, Field(min_length=1, max_length=200, description="The signal to wait for.")
    ] = None,
    schema: Annotated[
        dict[str, Any] | None, Field(description="JSON Schema of the signal's payload.")
    ] = None,
    deadline: Annotated[
        Duration | None, Field(description="How long for a signal; 7d unless given.")
    ] = None,
    on_deadline: OnDeadline = "fail",
) -> Waited:
    """Wait for a time, until an instant, or for a signal from outside.

    Give just one of `duration`, `until` and `signal`. The wait survives a restart;
    what is past is over at once. `drawloom runs signal` sends a signal; one that comes
    before the step waits for it is kept.
    """
    _engine()


@connector.tool(effect="pure", construct="approve")
def approve(
    title: Annotated[str, Field(min_length=1, description="What is asked, in a sentence.")],
    details: Annotated[Json, Field(description="What people should look at first.")] = None,
    form: Annotated[
        dict[str, dict[str, Any]] | None,
        Field(description="Fields to fill in: each name with its JSON Schema."),
    ] = None,
    approvers: Annotated[
        list[str] | None, Field(min_length=1, description="Who is asked; anybody unless given.")
    ] = None,
    needed: Annotated[int, Field(ge=1, le=100, description="How many have to say yes.")] = 1,
    deadline: Annotated[Duration | None, Field(description="7d unless given.")] = None,
    on_deadline: Annotated[
        Literal["fail", "approve", "reject"], Field(description="What then.")
    ] = "fail",
    on_reject: Annotated[
        Literal["fail", "continue"],
        Field(description="fail, or go on with `approved: false`."),
    ] = "fail",
) -> Decision:
    """Ask people to approve, and wait for their word.

    The first no decides; a yes does when `needed` people have said so. Unless
    `on_reject: continue`, a no fails the step as denied. `drawloom runs approve` answers.
    """
    _engine()


@connector.tool(effect="read", construct="enrich")
def enrich(
    rows: Annotated[list[Row], Field(description="The rows to complete.")],
    key: Annotated[str, Field(min_length=1, description="Their field to look up.")],
    lookup: Annotated[dict[str, Json], Field(description="The tool to ask: {use, on, with}.")],
    match: Annotated[
        str, Field(description="The answers' field; that of `key` unless given.")
    ] = "",
    found: Annotated[
        str, Field(description="Where in the lookup's output the answers are, such as rows.")
    ] = "",
    into: Annotated[
        str, Field(description="The new field; else fields go beside the row's.")
    ] = "",
    fields: Annotated[
        list[str], Field(description="Of the answers, only these; all unless given.")
    ] = [],  # noqa: B006  # never changed
    batch: Annotated[int, Field(ge=1, le=100_000, description="Keys in one call.")] = 100,
    many: Annotated[bool, Field(description="Take the list of all answers of a key.")] = False,
    missing: Annotated[
        Literal["fail", "keep", "drop"],
        Field(description="Where nothing is found: fail, keep the row with null, drop it."),
    ] = "fail",
) -> Enriched:
    """Complete rows with what a lookup finds for their keys.

    The lookup is a tool that only looks. It is called for each batch of the keys that
    occur, `concurrency` at a time, with the step's `retry`, `timeout` and `cache`; in its
    `with`, `item` is the list of keys (with `batch: 1` the one key).
    """
    _engine()
