"""`for_each`: one step called once per item, `concurrency` at a time.

Items never recurse into each other: an item that ends only queues its step,
and `Run.receive` goes on with it, so ten thousand items that answer at once
need no stack and no quadratic time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dataflow.expressions import OverBudget
from drawloom.dataflow.large_values import gathered, plain
from drawloom.errors import ExpressionInvalid, Failure, ValueInvalid
from drawloom.kernel import streaming
from drawloom.kernel.failures import of_mapping
from drawloom.kernel.life import NO_OUTPUT, Fan, Life, Stream
from drawloom.kernel.table import RUNNING

if TYPE_CHECKING:
    from drawloom.kernel.run import Run


def expand(run: Run, life: Life, found: Any) -> None:
    """The list (or stream) is known: the step runs until its last item has ended."""
    step = life.step
    fan = Fan(_in_batches(found, step.batch)) if step.lookup is None else _of_lookup(life, found)
    if isinstance(found, Stream):
        fan = Fan([], found)
    run._move(life, "call")
    life.fan = fan
    life.began = run._at
    life.attempt = 1
    go_on(run, life)


def _in_batches(found: Any, size: int | None) -> list[Any]:
    if isinstance(found, Stream):
        return []  # it is read as there is room
    if size is None:
        return list(found)
    return [found[at : at + size] for at in range(0, len(found), size)]


def _of_lookup(life: Life, rows: Any) -> Fan:
    """The keys of the rows are what the lookup is called for; the rows wait for the answers."""
    assert life.step.lookup is not None
    if isinstance(rows, Stream):
        raise ValueInvalid("core.enrich wants a list of rows, not a stream", "/rows")
    fan = Fan(life.step.lookup.batches(rows))
    fan.rows = rows
    return fan


def go_on(run: Run, life: Life) -> None:
    """Start as many items as may run, then see whether all have ended."""
    fan = life.fan
    assert fan is not None
    fan.queued = False
    if life.status != RUNNING:
        return
    step, total = life.step, len(fan.items)
    while fan.again and fan.busy < step.concurrency and not fan.halted:
        fan.unknown -= 1
        item = fan.again.popleft()
        run._call(item, item.args)
    while fan.next < total and fan.busy < step.concurrency and fan.failing is None:
        if fan.halted:
            break
        index = fan.next
        fan.next += 1
        item = Life(step, {**run.scope, "item": fan.items[index], "index": index})
        item.item, item.owner = index, life
        fan.lives[index] = item
        begin_item(run, item)
    if fan.stream is not None and streaming.pull(run, life, fan, fan.stream):
        return
    if len(fan.lives) > fan.unknown:
        return
    if fan.halted or (not fan.lives and (fan.over or fan.failing is not None)):
        _conclude(run, life, fan)


def begin_item(run: Run, item: Life) -> None:
    """Evaluate one item's condition and arguments, and call the tool."""
    try:
        if item.step.when_per_item and not run._holds(item):
            run._skip(item)
        else:
            run._call(item, run._arguments(item))
            if run._evaluated:
                run._evaluated.pop(item.place + "?when", None)
    except OverBudget:
        pass  # asked for elsewhere
    except (ValueInvalid, ExpressionInvalid) as exc:
        run._give_up(item, of_mapping(item, exc))


def item_succeeded(run: Run, item: Life, output: Any) -> None:
    assert item.owner is not None and item.owner.fan is not None and item.item is not None
    item.owner.fan.results[item.item] = output
    _item_ended(run, item)


def item_skipped(run: Run, item: Life) -> None:
    _item_ended(run, item)


def item_failed(run: Run, item: Life, failure: Failure) -> None:
    """One item failed for good: note it and go on, or let the whole step fail."""
    assert item.owner is not None and item.owner.fan is not None
    fan = item.owner.fan
    if item.step.continues:
        fan.failures.append(
            {"index": item.item, "kind": str(failure.kind), "message": failure.message}
        )
    else:
        details = {**(failure.details or {}), "item": item.item}
        fail(
            run, fan, Failure(failure.kind, f"item {item.item}: {failure.message}", None, details)
        )
    _item_ended(run, item)


def fail(run: Run, fan: Fan, failure: Failure) -> None:
    """The whole step fails; what is under way tells its end first, if it must."""
    if fan.failing is None:
        fan.failing = failure
        if not fan.halted:
            _halt_items(run, fan, drain=True)


def item_cut(run: Run, item: Life) -> None:
    """An item that was asked to stop has done so."""
    assert item.owner is not None and item.owner.fan is not None
    run._move(item, "cancel")
    item.owner.fan.cut = True
    _item_ended(run, item)


def item_lost(run: Run, item: Life) -> None:
    """An item's outcome is unknown; the other items go on."""
    assert item.owner is not None and item.owner.fan is not None
    item.owner.fan.unknown += 1
    queue(run, item.owner)


def item_again(run: Run, item: Life) -> None:
    """A person has an item called again: as soon as the window has room."""
    assert item.owner is not None and item.owner.fan is not None
    item.owner.fan.again.append(item)
    queue(run, item.owner)


def halt(run: Run, life: Life) -> None:
    """The run stops: so do the items, those that may be stopped."""
    fan = life.fan
    assert fan is not None
    fan.halted = True
    _halt_items(run, fan, drain=run.cancelled is None)
    for item in fan.lives.values():
        run._unknown.pop(item.call, None)
    queue(run, life)


def _halt_items(run: Run, fan: Fan, *, drain: bool) -> None:
    if fan.stream is not None:
        streaming.stop(run, fan.stream)
    for index, item in list(fan.lives.items()):
        if item.status == RUNNING and item.fetch is not None and item.args is None:
            streaming.drop(run, item.fetch)  # it was to be called again, and has not been
            run.calls.pop(item.call, None)
            run._move(item, "cancel")
            fan.cut = True
            del fan.lives[index]
        elif item.status == RUNNING:
            if run.halt_call(item, drain=drain):
                if item.step.effect.repeatable or item.step.construct:
                    fan.cut = True
                    del fan.lives[index]
                else:
                    fan.unknown += 1
        elif item.status in ("waiting", "evaluating", "resting"):
            run.calls.pop(item.call, None)
            for kind in ("?when", "?with"):
                run._evaluating.pop(item.place + kind, None)
            run._move(item, "cancel")
            fan.cut = True
            del fan.lives[index]


def _item_ended(run: Run, item: Life) -> None:
    assert item.owner is not None and item.owner.fan is not None and item.item is not None
    if item.fetch is not None:
        streaming.drop(run, item.fetch)
    item.owner.fan.lives.pop(item.item, None)
    queue(run, item.owner)


def queue(run: Run, life: Life) -> None:
    assert life.fan is not None
    if not life.fan.queued:
        life.fan.queued = True
        run._ready.append(life)


def _conclude(run: Run, life: Life, fan: Fan) -> None:
    if fan.failing is not None and fan.unknown == 0:
        run._give_up(life, fan.failing)
    elif fan.unknown:
        run._move(life, "lose")
        run._settle(life)
    elif fan.halted and (fan.cut or not fan.over):
        run._move(life, "cancel")
        run._settle(life)
    else:
        if fan.failures:
            # In the order of the items, not of their answers: the same in every driver.
            fan.failures.sort(key=lambda failure: int(failure["index"]))
            run.scope["failures"][life.step.name] = fan.failures
        _gather(run, life, fan)


def _gather(run: Run, life: Life, fan: Fan) -> None:
    if fan.rows is None or life.step.lookup is None:
        run._ended_well(life, gathered(fan.outputs))
        return
    answered = [(k, r) for k, r in zip(fan.items, fan.results, strict=True) if r is not NO_OUTPUT]
    keys, outputs = [k for k, _ in answered], [plain(r) for _, r in answered]
    try:
        output = life.step.lookup.joined(fan.rows, keys, outputs)
    except ValueInvalid as exc:
        run._give_up(life, of_mapping(life, exc))
    else:
        run._ended_well(life, output)
