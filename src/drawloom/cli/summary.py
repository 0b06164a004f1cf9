"""Show how a run ended: its steps, its result, and the commands that look further."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from drawloom.cli.terminal import (
    console,
    duration,
    instant,
    json_text,
    print_lines,
    print_table,
    shown,
    status_text,
)

if TYPE_CHECKING:
    from drawloom.drivers.embedded import StepResult
    from drawloom.errors import Failure
    from drawloom.kernel import Run
    from drawloom.kernel.life import Life

_LINES = 40  # of a result; more is left to `runs show --json`
_COLUMNS = 2_000  # of one line of it


def print_head(chain: str, status: str, run: str, seconds: float | None) -> None:
    """One line that says it all."""
    from rich.text import Text

    line = Text(shown(chain) + " ")
    line.append_text(status_text(status))
    took = "" if seconds is None else f" in {duration(seconds)}"
    line.append(f"{took}   run {shown(run)}")
    console().print(line, soft_wrap=True)


def print_steps(steps: Mapping[str, StepResult]) -> None:
    """The table of steps."""
    rows = [
        (
            name,
            status_text(step.status),
            step.attempts or "",
            items(step),
            duration(step.seconds) if step.attempts else "",
            "" if step.failure is None else str(step.failure),
        )
        for name, step in steps.items()
    ]
    headings = ["STEP", "STATUS", "ATTEMPTS", "ITEMS", "TIME", "WHY"]
    kept = [i for i in range(6) if i < 3 or i == 4 or any(row[i] for row in rows)]
    print_table([headings[i] for i in kept], [[row[i] for i in kept] for row in rows])


def items(step: StepResult) -> str:
    """`7 of 10`, for a step with items."""
    return "" if step.items_total is None else f"{step.items_done} of {step.items_total}"


def print_outcome(
    status: str, output: Any, failure: Failure | None, run: str, options: str
) -> None:
    """The result, or why there is none."""
    if failure is not None and status == "cancelled":
        print_lines(f"\n{failure.message}")
    elif failure is not None:
        print_lines(f"\nfailed: {failure}")
    elif output is not None:
        print_value("result", output, f"drawloom runs show {run} --json{options}")


def print_value(title: str, value: Any, elsewhere: str) -> None:
    """A value as JSON; what does not fit a screen is said to be left out, and where it is."""
    lines = json_text(value).split("\n")
    kept = lines[:_LINES]
    short = [line if len(line) <= _COLUMNS else _cut(line) for line in kept]
    print_lines(f"\n{title}:\n" + "\n".join(short))
    if len(lines) > _LINES:
        print_lines(f"… and {len(lines) - _LINES} more lines; all of it: {elsewhere}")
    elif short != kept:
        print_lines(f"All of it: {elsewhere}")


def _cut(line: str) -> str:
    return f"{line[:_COLUMNS]} … and {len(line) - _COLUMNS:,} more characters"


def print_waits(run: Run, options: str) -> None:
    """What a run waits for, and how to answer."""
    from shlex import quote

    for life in run.waits.values():
        if life.step.construct == "approve":
            print_lines(_asks(run.run_id, life, quote(life.place), options))
        else:
            name = life.args["signal"]
            print_lines(
                f"\n{life.place} waits for the signal {name} {_until(life)}. To send it:\n"
                f"  drawloom runs signal {run.run_id} {quote(name)} --payload JSON{options}"
            )


def _asks(run: str, life: Life, place: str, options: str) -> str:
    asked = life.args.get("approvers")
    who = "anybody" if asked is None else ", ".join(asked)
    needed = life.args.get("needed", 1)
    votes = len(life.votes or {})
    count = f" ({votes} of {needed} have)" if needed > 1 else ""
    fields = "".join(f" --field {name}=VALUE" for name in life.args.get("form") or {})
    command = f"drawloom runs approve {run} {place} --by YOU{options}"
    return (
        f"\n{shown(str(life.args['title']))}\n"
        f"{life.place} asks {shown(who)} to approve{count} {_until(life)}:\n"
        f"  {command}{fields}\n"
        f"  {command} --no --comment WHY"
    )


def _until(life: Life) -> str:
    return f"until {instant(life.due)}"


def print_unknown(run: str, calls: Iterable[str], options: str) -> None:
    """What a person has to decide, and how to say it."""
    from shlex import quote

    for call in calls:
        command = f"drawloom runs resolve {run} {quote(call)}{options}"
        print_lines(
            f"\nNobody can know whether {call} had its effect. Look at the service, then say:\n"
            f"  {command} --succeeded --output JSON\n"
            f"  {command} --failed --message TEXT\n"
            f"  {command} --again"
        )
