"""Runs: start one, look at it, follow it, and answer what it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from drawloom.access import Action, Principal
from drawloom.drivers.embedded.store import RunRecord
from drawloom.project import shapes
from drawloom.server.gate import may, still_may
from drawloom.server.live import MOST_LISTENERS, Live
from drawloom.server.problems import Problem, missing
from drawloom.server.studio import Studio, Wanted

router = APIRouter(prefix="/runs", tags=["runs"])

Status = Literal["queued", "running", "waiting", "unknown", "succeeded", "failed", "cancelled"]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Body(BaseModel):
    """Nothing else may be said."""

    model_config = ConfigDict(extra="forbid")


class Start(Body):
    """A run of a chain as it is now."""

    chain: Name
    input: dict[str, Any] = {}
    bindings: dict[str, Name] = Field({}, max_length=100, description="Connections by slot.")


class Cancel(Body):
    """Why a run is to stop."""

    reason: str = Field("asked to stop", max_length=1_000)


class Signal(Body):
    """A signal that a step waits for, with its payload."""

    name: Name
    payload: Any = None


class Answer(Body):
    """What somebody says to a step that asks for approval."""

    step: Name
    approve: bool
    answers: dict[str, Any] = {}
    comment: str = Field("", max_length=10_000)


class Outcome(Body):
    """How a call ended whose outcome nobody knows, or that it is to be made again."""

    call: str = Field(min_length=1, max_length=300)
    outcome: Literal["succeeded", "failed", "again"]
    output: Any = None
    message: str = Field("", max_length=10_000)


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


Served = Annotated[Studio, Depends(_studio)]


async def _known(id: str, studio: Served) -> RunRecord:
    """The run of just this id; a problem comes before anything is streamed.

    In a route it stands behind `who`: a stranger does not learn what there is.
    """

    def look(store: Any) -> RunRecord:
        if not store.has(id):
            raise missing(f"there is no run {id!r}")
        record: RunRecord = store.run(id)
        return record

    return await studio.stored(look)


def _live(request: Request) -> Live:
    """Who wakes those that follow runs. Raises `Problem` where too many do already."""
    following: Live = request.app.state.live
    if following.count >= MOST_LISTENERS:
        detail = f"{MOST_LISTENERS} follow runs already; try again"
        raise Problem(503, "too-many-listeners", detail, headers={"Retry-After": "5"})
    return following


Known = Annotated[RunRecord, Depends(_known)]


async def _going(record: Known) -> RunRecord:
    """A run that is not over yet."""
    if record.over:
        raise Problem(409, "run-over", f"run {record.id} is over: it has {record.status}")
    return record


Going = Annotated[RunRecord, Depends(_going)]


@router.post("", status_code=201)
async def start(
    who: Annotated[Principal, may(Action.RUNS_START)],
    studio: Served,
    response: Response,
    wanted: Start,
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)] = None,
) -> dict[str, str]:
    """Start a run; answered once that is durable.

    With the header `Idempotency-Key` a second start of a chain with the same key and input
    gives the first run.
    """
    run = await studio.start(Wanted(wanted.chain, wanted.input, wanted.bindings, key))
    response.headers["Location"] = f"{router.prefix}/{run}"
    return {"run": run}


@router.get("")
async def listed(
    who: Annotated[Principal, may(Action.RUNS_READ)],
    studio: Served,
    chain: Annotated[str | None, Query(max_length=100)] = None,
    status: Status | None = None,
    before: Annotated[int | None, Query(ge=1, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Runs, the latest first. `next` is the cursor of the next page, null at the end."""
    found = await studio.stored(lambda store: store.list(status, chain, limit + 1, before))
    page = found[:limit]
    return {
        "runs": [shapes.record(record) for record in page],
        "next": page[-1].number if len(found) > limit else None,
    }


@router.get("/{id}")
async def show(
    who: Annotated[Principal, may(Action.RUNS_READ)], studio: Served, record: Known
) -> dict[str, Any]:
    """A run: its output, and each of its steps with what it cost."""
    history = await studio.stored(
        lambda store: store.history(record, studio.project.catalogue.find)
    )
    return {
        **shapes.record(record),
        "output": record.output,
        "version": history.version,
        "unknown": list(history.unknown),
        "waits": list(history.waits),
        "steps": {name: shapes.stored_step(step) for name, step in history.steps.items()},
    }


@router.get("/{id}/events")
async def events(
    who: Annotated[Principal, may(Action.RUNS_READ)],
    studio: Served,
    record: Known,
    after: Annotated[int, Query(ge=0, description="The number of the last one seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> dict[str, Any]:
    """The journal of a run behind a number. `next` is the last number of a page that is full."""
    found = await studio.stored(lambda store: store.events(record, after))
    page = found[:limit]
    return {
        "events": [shapes.event(event) for event in page],
        "next": page[-1].seq if len(found) > limit else None,
    }


@router.get("/{id}/live", response_class=EventSourceResponse)
async def live(
    request: Request,
    who: Annotated[Principal, may(Action.RUNS_READ)],
    following: Annotated[Live, Depends(_live)],
    studio: Served,
    record: Known,
    last: Annotated[int, Header(alias="Last-Event-ID", ge=0)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """A run as it happens: `event` for each event of its journal, `run` for how it stands."""

    async def still() -> bool:
        return await still_may(request, who, Action.RUNS_READ)

    async for event in following.follow(studio, record.id, last, still):
        yield event


@router.post("/{id}/cancel", status_code=202)
async def cancel(
    who: Annotated[Principal, may(Action.RUNS_CANCEL)],
    studio: Served,
    record: Going,
    asked: Cancel,
) -> dict[str, str]:
    """Ask a run to stop; its clean-up steps still run."""
    await studio.engine.cancel(record.id, asked.reason)
    return {"run": record.id}


@router.post("/{id}/signals", status_code=202)
async def signal(
    who: Annotated[Principal, may(Action.RUNS_ANSWER)],
    studio: Served,
    record: Going,
    sent: Signal,
) -> dict[str, str]:
    """Send a signal to a run; answered once it is durable."""
    await studio.engine.signal(record.id, sent.name, sent.payload)
    return {"run": record.id}


@router.post("/{id}/answers", status_code=202)
async def answer(
    who: Annotated[Principal, may(Action.RUNS_ANSWER)],
    studio: Served,
    record: Going,
    given: Answer,
) -> dict[str, str]:
    """Answer what a step asks, under one's own name; answered once it is durable."""
    await studio.engine.approve(
        record.id, given.step, who.name, given.approve, given.answers, given.comment
    )
    return {"run": record.id}


@router.post("/{id}/outcomes", status_code=202)
async def resolve(
    who: Annotated[Principal, may(Action.RUNS_RESOLVE)],
    studio: Served,
    record: Going,
    said: Outcome,
) -> dict[str, str]:
    """Say how a call ended whose outcome nobody knows, or have it made again."""
    await studio.engine.resolve(record.id, said.call, said.outcome, said.output, said.message)
    return {"run": record.id}
