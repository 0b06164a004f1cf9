"""`for_each` over a stream: items are read when there is room for them, in order.

The journal keeps where the stream stood, not what came from it. So at replay an
item is called without its arguments: its answer needs none, and an item without
an answer is read again from the cursor before it. That live items do not fit
their tool is said by an event of its own (`Refused`), for a replay cannot see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from drawloom.chains.plan import Plan, PlanStep
from drawloom.dataflow.expressions import OverBudget
from drawloom.dataflow.references import Template
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ValueInvalid
from drawloom.kernel import fan_out
from drawloom.kernel.failures import of_mapping
from drawloom.kernel.life import NO_OUTPUT, Fan, Life, Position, Puller, Stream
from drawloom.kernel.messages import CallTool, Pull, Pulled, Refuse, Refused
from drawloom.kernel.table import RESTING, RUNNING

if TYPE_CHECKING:
    from drawloom.kernel.run import Run

KEY = "$stream"

Pointer: TypeAlias = tuple[str | int, ...]


def value_of(step: PlanStep, args: dict[str, Any]) -> dict[str, Any]:
    """What stands for the stream in `steps.NAME`: how to open it."""
    return {KEY: {"step": step.name, "args": args}}


def source_of(plan: Plan, template: Template, pointer: Pointer = ()) -> PlanStep | None:
    """The step whose stream stands at *pointer* of a template; None where none does.

    The chain alone says so, by a reference to that step: what only looks like a
    stream in the data is data.
    """
    for reference in template.references:
        path = reference.path
        if reference.pointer == pointer and reference.whole and path and path[0] == "steps":
            step = plan.by_name.get(str(path[-1])) if len(path) == 2 else None
            return step if step is not None and step.construct == "stream" else None
    return None


def opened(source: PlanStep, consumer: PlanStep, value: Mapping[str, Any]) -> Stream:
    """The stream that *value* stands for. Raises `ValueInvalid`."""
    if consumer.when_per_item:
        raise ValueInvalid("`when` cannot look at the items of a stream; choose them in the tool")
    return Stream(source, dict(value[KEY]["args"]))


def pull(run: Run, life: Life, fan: Fan, stream: Stream) -> bool:
    """Read on, if there is room; whether something is being read."""
    if stream.pulling is not None:
        return True
    if stream.exhausted or fan.halted or fan.failing or fan.busy >= life.step.concurrency:
        return False
    stream.pulling = Puller(stream.step, life, fan.next, stream.after)
    run._call(stream.pulling, stream.args)
    return True


def ask(run: Run, puller: Puller, call: str, args: dict[str, Any]) -> None:
    """Have the driver read."""
    run._commands.append(Pull(call, puller.step, args, puller.after, puller.most))


def pulled(run: Run, event: Pulled) -> None:
    """Items have come: they are called for, or the stream is at its end."""
    puller = run.calls.get(event.call)
    if not isinstance(puller, Puller) or puller.status != RUNNING:
        return
    del run.calls[event.call]
    owner = puller.owner
    assert owner is not None and owner.fan is not None and owner.fan.stream is not None
    fan, stream = owner.fan, owner.fan.stream
    if puller.target is not None:
        _supply_again(run, puller.target, event)
        return
    stream.pulling, stream.after, stream.exhausted = None, event.after, event.done
    if event.count:
        item = Life(owner.step, {**run.scope, "item": None, "index": fan.next})
        item.item, item.owner = fan.next, owner
        item.position = Position(puller.after, event.count, event.after)
        fan.lives[fan.next] = item
        fan.results.append(NO_OUTPUT)
        fan.next += 1
        _supply(run, item, event.items)
    fan_out.queue(run, owner)


def _supply_again(run: Run, item: Life, event: Pulled) -> None:
    """Items that were read once more: they must be those that were there before."""
    was: Position = item.position
    if (event.count, event.after) == (was.items, was.after):
        _supply(run, item, event.items)
        return
    run.calls.pop(item.call, None)
    message = (
        f"the stream has changed: behind the cursor {was.before!r} there were {was.items} items "
        f"up to {was.after!r}, and now there are {event.count} up to {event.after!r}"
    )
    details = {"place": item.place}
    run._give_up(item, Failure(FailureKind.CONFLICT, message, None, details))


def _supply(run: Run, item: Life, items: list[Any] | None) -> None:
    """Call for items, now that they are there (at replay they are not: see the module)."""
    waits = item.status == RUNNING  # its call has an id already
    if items is None:
        if not waits:
            run._registered(item, None)
        return
    item.scope["item"] = items if item.step.batch else items[0]
    try:
        args = run._arguments(item)
    except OverBudget:
        return
    except (ValueInvalid, ExpressionInvalid) as exc:
        call = item.call if waits else run._registered(item, None)
        run._commands.append(Refuse(call, of_mapping(item, exc)))
        return
    if waits:
        item.args = args
        run._commands.append(CallTool(item.call, item.step, args, item.attempt, item.item))
    else:
        run._call(item, args)


def refused(run: Run, event: Refused) -> None:
    """The items do not fit: the item has failed."""
    life = run.calls.pop(event.call, None)
    if life is not None:
        run._give_up(life, event.failure)


def fetch(run: Run, item: Life) -> None:
    """Read the items of a call again: the process that had them is gone."""
    owner = item.owner
    assert owner is not None and owner.fan is not None and owner.fan.stream is not None
    stream, before = owner.fan.stream, item.fetch
    if before is not None and before.call in run.calls:
        return
    assert item.item is not None
    item.fetch = Puller(stream.step, owner, item.item, item.position.before, item)
    if before is not None:
        item.fetch.attempt = before.attempt  # its call ids go on: none is used twice
    run._call(item.fetch, stream.args)


def failed(run: Run, puller: Puller, failure: Failure) -> None:
    """The stream cannot be read on."""
    owner = puller.owner
    assert owner is not None and owner.fan is not None and owner.fan.stream is not None
    message = f"reading {puller.step.name}: {failure.message}"
    told = Failure(failure.kind, message, None, failure.details)
    if puller.target is not None:
        run.calls.pop(puller.target.call, None)
        run._give_up(puller.target, told)
        return
    owner.fan.stream.pulling = None
    fan_out.fail(run, owner.fan, told)
    fan_out.queue(run, owner)


def stop(run: Run, stream: Stream) -> None:
    """Nothing more is read."""
    if stream.pulling is not None:
        drop(run, stream.pulling)
        stream.pulling = None


def drop(run: Run, puller: Puller) -> None:
    """Nobody waits for what is being read."""
    if puller.call in run.calls:
        if puller.status == RESTING:
            del run.calls[puller.call]
        else:
            run.halt_call(puller, drain=False)
