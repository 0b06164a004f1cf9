"""Show how a run goes, on stderr: live on a terminal, line by line elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from drawloom.cli.board import Board, Row, now, queued_for, told
from drawloom.cli.terminal import STYLES, console, counted, duration, shown
from drawloom.facts import (
    BreakerChanged,
    CallQueued,
    CallStarted,
    Fact,
    InstanceChanged,
    Line,
    StepEnded,
    ToolCall,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_MARKS = {
    "waiting": "·",
    "evaluating": "…",
    "running": "▶",
    "resting": "↻",
    "succeeded": "✓",
    "failed": "✗",
    "skipped": "-",
    "cancelled": "■",
    "unknown": "?",
}
_PLAIN_MARKS = {**_MARKS, "waiting": ".", "evaluating": "~", "running": ">", "resting": "o",
                "succeeded": "+", "failed": "x", "cancelled": "#"}  # fmt: skip


class Progress(Protocol):
    """Shows facts as they come. A context manager; `stop` before anything else is printed."""

    def sink(self, fact: Fact) -> None: ...
    def note(self, message: str) -> None: ...
    def acknowledge(self, run: str) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def progress_for(board: Board, mode: str) -> Progress:
    """A progress of *mode*: `live`, `lines` or `none`."""
    return {"live": LiveProgress, "lines": LineProgress, "none": NoProgress}[mode](board)


class NoProgress:
    """Shows nothing but notes."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def sink(self, fact: Fact) -> None:
        self.board.take(fact)

    def acknowledge(self, run: str) -> None:
        """The start of the run is on disk: from now on it cannot be lost."""

    def note(self, message: str) -> None:
        """Show something that a person has to know, whatever the mode."""
        console(error=True).print(shown(message, lines=True), soft_wrap=True)


class LineProgress(NoProgress):
    """One line for each thing that happened."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._console = console(error=True)
        self._tenths: dict[str, int] = {}
        # A step may begin before the start is on disk: what it does is told after the start.
        self._held: list[str] | None = []

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def sink(self, fact: Fact) -> None:
        row = self.board.take(fact)
        if isinstance(fact, Line):
            self._tell(log_line(fact))
        elif isinstance(fact, BreakerChanged | InstanceChanged):
            self._tell(told(fact))
        elif row is not None and (text := self._of_step(row, fact)):
            self._tell(text)

    def note(self, message: str) -> None:
        self._line(message)

    def acknowledge(self, run: str) -> None:
        self._line(f"run {run}: started")
        self._release()

    def _tell(self, text: str) -> None:
        if self._held is None:
            self._line(text)
        else:
            self._held.append(text)

    def _release(self) -> None:
        held, self._held = self._held or (), None
        for text in held:
            self._line(text)

    def _line(self, text: str) -> None:
        self._console.print(shown(text, lines=True), soft_wrap=True)

    def _of_step(self, row: Row, fact: Fact) -> str:
        if isinstance(fact, StepEnded):
            took = duration(row.elapsed(now()))
            return f"{row.name}: {row.status}" + (f" in {took}" if took else "")
        if isinstance(fact, ToolCall) and fact.failure is not None:
            return f"{row.name}: {row.note}"
        if isinstance(fact, ToolCall) and row.total:
            return self._tenth(row)
        if isinstance(fact, ToolCall) and fact.cached:
            return f"{row.name}: a kept answer of {row.tool} ({fact.cached})"
        if isinstance(fact, CallQueued) and not row.total:
            return f"{row.name}: {queued_for(fact)}"
        if isinstance(fact, CallStarted) and fact.attempt == 1 and not fact.item:
            items = "" if fact.total is None else f", {counted(fact.total, 'item')}"
            return f"{row.name}: running {row.tool}{items}"
        return ""

    def _tenth(self, row: Row) -> str:
        """Items are told at every tenth of them."""
        assert row.total
        tenth = row.done * 10 // row.total
        if tenth == self._tenths.get(row.name, 0) or row.done == row.total:
            return ""
        self._tenths[row.name] = tenth
        return f"{row.name}: {row.done} of {row.total} items"


class LiveProgress(NoProgress):
    """A table of the steps that is drawn again and again; it goes when the run is over."""

    def __init__(self, board: Board) -> None:
        from rich.live import Live

        super().__init__(board)
        self._console = console(error=True)
        self._started = ""
        self._marks = _MARKS if self._console.encoding.startswith("utf") else _PLAIN_MARKS
        self._live = Live(
            get_renderable=self._drawn, console=self._console, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def sink(self, fact: Fact) -> None:
        self.board.take(fact)
        if isinstance(fact, Line):
            self.note(log_line(fact))
        elif isinstance(fact, BreakerChanged | InstanceChanged):
            self.note(told(fact))

    def acknowledge(self, run: str) -> None:
        self._started = f"  run {run}"

    def note(self, message: str) -> None:
        self._console.print(shown(message, lines=True), soft_wrap=True)

    def _drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        board, at = self.board, now()
        table = Table.grid(padding=(0, 1))
        for row in self._visible():
            self._add(table, row, at)
        over = board.count("succeeded", "failed", "skipped", "cancelled", "unknown")
        head = f"{board.chain}  {over} of {len(board.rows)} steps  "
        took = duration((at - board.began) / 1_000_000)
        return Group(Text(shown(head + took + self._started), no_wrap=True), table)

    def _visible(self) -> list[Row]:
        """What fits the screen: what is under way first, then what ended last."""
        rows = list(self.board.rows.values())
        room = max(3, self._console.height - 3)
        if len(rows) <= room:
            return rows
        under_way = [row for row in rows if row.status in ("running", "resting", "evaluating")]
        ended = sorted((r for r in rows if r.ended), key=lambda r: r.ended or 0, reverse=True)
        chosen = {row.name for row in [*under_way, *ended][:room]}
        return [row for row in rows if row.name in chosen]

    def _add(self, table: Table, row: Row, at: int) -> None:
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        style = STYLES.get(row.status, "")
        cells: list[Text | ProgressBar] = [
            Text(self._marks[row.status], style=style),
            Text(shown(row.name)),
            Text(duration(row.elapsed(at)), style="dim"),
        ]
        if row.total and row.ended is None:
            cells.append(ProgressBar(total=row.total, completed=row.done, width=20))
            cells.append(Text(f"{row.done}/{row.total}", style="dim"))
        else:
            cells.append(Text(_told(row), style="dim", no_wrap=True, overflow="ellipsis"))
        table.add_row(*cells)


def _told(row: Row) -> str:
    """What is to be said beside a step: which attempt this is, and how the last one went."""
    note, queued = shown(row.note), shown(row.queued)
    if row.status != "running" or row.attempts < 2:
        return queued or note
    parts = (f"attempt {row.attempts}", queued, note and f"after {note}")
    return ", ".join(part for part in parts if part)


def log_line(fact: Line) -> str:
    """A line that a tool wrote to the run's log."""
    from drawloom.cli.terminal import json_line

    data = dict(fact.data)
    level = data.pop("level", "info")
    head = f"{fact.step}: " if level == "info" else f"{fact.step}: {level}: "
    return head + fact.message + (f"  {json_line(data)}" if data else "")
