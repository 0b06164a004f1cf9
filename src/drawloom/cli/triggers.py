"""`drawloom triggers`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from drawloom.cli.options import AsJson

_THEN = "--after"  # the start of a rule that is given as an expression

triggers = App(name="triggers", help="Look at when schedules fire.")


@triggers.command(name="next")
def next_(
    schedule: Annotated[
        str,
        Parameter(
            name="FILE|EXPR",
            help="A schedule as YAML or JSON, or a cron expression, an interval such as 15m, "
            "or a rule such as FREQ=DAILY.",
        ),
    ],
    /,
    *,
    count: Annotated[int, Parameter(help="How many firings, 1 to 10000.")] = 10,
    zone: Annotated[
        str | None, Parameter(help="An IANA zone for an expression; else UTC.")
    ] = None,
    after: Annotated[
        str | None,
        Parameter(help="The firings after this time, such as 2026-03-28T09:00:00; else now."),
    ] = None,
    json: AsJson = False,
) -> int:
    """Print when a schedule fires next. Nothing is started, and no server is asked.

    A rule that is given as an expression begins at --after; a schedule in a file says
    where its rule starts. Fewer firings are printed where the schedule ends.

    With --json: {zone, firings: [{at, local}]}; `at` is RFC 3339 in UTC.

    For example:
      drawloom triggers next "0 9 * * mon-fri" --zone Europe/Berlin
      drawloom triggers next schedule.yaml --count 3 --json
    """
    from datetime import UTC, datetime

    from drawloom.cli.terminal import print_json, print_lines, say
    from drawloom.triggers import next_firings, schedule_of
    from drawloom.triggers.local_time import zone_of
    from drawloom.triggers.reading import instant_in

    document = _document(schedule, zone)
    clock = schedule_of({"every": "1s", "zone": document.get("zone", "UTC")}).zone
    begin = datetime.now(UTC) if after is None else instant_in("--after", after, clock)
    if document.get("start") == _THEN:
        document["start"] = begin.isoformat()
    found = schedule_of(document)
    firings = next_firings(found, begin, count)
    local = [f.at.astimezone(zone_of(found.zone)) for f in firings]
    if json:
        shown = [
            {"at": f"{f.at:%Y-%m-%dT%H:%M:%SZ}", "local": at.isoformat()}
            for f, at in zip(firings, local, strict=True)
        ]
        print_json({"zone": found.zone, "firings": shown})
    elif not firings:
        say(f"It never fires after {begin.isoformat(timespec='seconds')}.")
    else:
        print_lines("\n".join(f"{at:%a} {at.isoformat(sep=' ')}" for at in local))
    return 0


def _document(written: str, zone: str | None) -> dict[str, Any]:
    """The document of a file, or that an expression means."""
    from pathlib import Path

    from drawloom.chains.yaml_source import read_yaml
    from drawloom.errors import ValueInvalid

    other = {} if zone is None else {"zone": zone}
    if not written.endswith((".yaml", ".yml", ".json")):
        kind = _kind_of(written)
        start = {"start": _THEN} if kind == "rrule" else {}
        return {kind: written.removeprefix("every "), **start, **other}
    try:
        text = Path(written).read_bytes()
    except OSError as exc:
        raise ValueInvalid(f"cannot read {written}: {exc.strerror}") from None
    document, _ = read_yaml(text, file=written)
    if not isinstance(document, dict):
        raise ValueInvalid(f"{written}: a schedule is a mapping, such as `cron: 0 9 * * *`")
    return {**document, **other}


def _kind_of(expression: str) -> str:
    if "FREQ=" in expression.upper():
        return "rrule"
    return "cron" if len(expression.removeprefix("every ").split()) > 1 else "every"
