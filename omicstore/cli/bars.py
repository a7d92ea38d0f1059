"""Progress bars with the time left, for terminals."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from omicstore.progress import Advance

__all__ = ["Bars"]

#: What is done sooner than this (seconds) shows no bar.
PATIENCE = 0.5


class Bars:
    """Bars of nested tasks, one below the other, which go when their tasks are done.

    Parameters
    ----------
    console
        A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            _Amount(),
            TimeElapsedColumn(),
            _Left(),
            console=console,
            transient=True,
        )
        self._open = 0
        self._timer: threading.Timer | None = None

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        """Show a task until the block ends."""
        number = self._progress.add_task(what, total=total, unit=unit)
        self._open += 1
        if self._open == 1:
            self._timer = threading.Timer(PATIENCE, self._progress.start)
            self._timer.daemon = True
            self._timer.start()

        def advance(n: float = 1) -> None:
            self._progress.advance(number, n)

        try:
            yield advance
        finally:
            self._progress.remove_task(number)
            self._open -= 1
            if self._open == 0 and self._timer is not None:
                self._timer.cancel()
                self._timer.join()  # or it might start the bars after they were stopped
                self._progress.stop()


class _Left(ProgressColumn):
    """The time left, where it can be told."""

    #: Seconds between two looks, as rich has it for its own column.
    max_refresh = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._time = TimeRemainingColumn()

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        return Text.assemble(self._time.render(task), " left")


class _Amount(ProgressColumn):
    """How much is done: a size in bytes, or a number of units."""

    def __init__(self) -> None:
        super().__init__()
        self._count = MofNCompleteColumn()

    def render(self, task: Task) -> Text:
        unit = str(task.fields.get("unit") or "")
        if unit == "bytes":
            whole = f"/{task.total / 1e6:,.0f}" if task.total is not None else ""
            return Text(f"{task.completed / 1e6:,.0f}{whole} MB")
        if not unit:
            return Text("")
        return Text.assemble(self._count.render(task), f" {unit}")
