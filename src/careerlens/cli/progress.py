"""A job's steps while it runs: a live bar on a terminal, one line per step anywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from careerlens.cli.text import one_line

_BAR_WIDTH = 28
_FINAL_MARKS = {
    "completed": ("✓", "bold green", "Done"),
    "failed": ("✗", "bold red", "Failed"),
    "cancelled": ("■", "bold yellow", "Cancelled"),
}


class ProgressView(Protocol):
    """Shows what becomes known of a job. `update` is a status or an update as the API sends it."""

    def show(self, update: Mapping[str, Any]) -> None:
        """Show what `update` adds to what is already shown."""

    def note(self, text: str) -> None:
        """Say something beside the job itself."""


@contextmanager
def progress_view(console: Console, title: str, *, quiet: bool = False) -> Iterator[ProgressView]:
    """The view that fits `console`; with `quiet` one that shows nothing."""
    if quiet:
        yield _SilentView()
    elif console.is_terminal:
        with _bar(console) as bar:
            yield _LiveView(bar, title)
    else:
        yield _LineView(console, title)


class _Steps:
    """Which step a job is at, so that each is announced once, and none after a later one.

    What is asked for and what is heard overlap, so older news may follow newer news.
    """

    def __init__(self) -> None:
        self._last: tuple[str, str] | None = None
        self._stage = 0
        self._resting_until = 0
        self.percent = 0.0

    def entered(self, update: Mapping[str, Any]) -> str | None:
        """The sentence for the step that `update` begins; None when it tells nothing new."""
        status = str(update.get("status", ""))
        if _is_from_before(self._resting_until, update):
            return None
        if _is_retry(update):
            self._stage, self.percent = 0, 0.0
            self._resting_until = int(update.get("delayedUntil") or 0)
        elif self._is_old(status, update):
            return None
        self._stage = max(self._stage, _stage(status))
        message = _headline(status, update)
        progress = _progress(update)
        if progress is not None and status == "processing":
            self.percent = float(progress.get("percent") or 0.0)
            message = one_line(progress.get("message") or progress.get("step") or message)
        step = (status, message)
        if step == self._last:
            return None
        self._last = step
        return message

    def _is_old(self, status: str, update: Mapping[str, Any]) -> bool:
        if _stage(status) != self._stage:
            return _stage(status) < self._stage
        if status != "processing" or self._last is None:
            return False
        progress = _progress(update)
        return progress is None or float(progress.get("percent") or 0.0) < self.percent


def _is_from_before(resting_until: int, update: Mapping[str, Any]) -> bool:
    """Whether it tells of an attempt whose failure is known: until the next, nothing happens."""
    timestamp = update.get("timestamp")
    ended = _stage(str(update.get("status", ""))) == 2
    return timestamp is not None and timestamp < resting_until and not ended


def _stage(status: str) -> int:
    return {"queued": 0, "processing": 1}.get(status, 2)


def _is_retry(update: Mapping[str, Any]) -> bool:
    return bool(update.get("retrying")) or update.get("event") == "retrying"


def _progress(update: Mapping[str, Any]) -> Mapping[str, Any] | None:
    progress = update.get("progress")
    return progress if isinstance(progress, Mapping) else None


def _headline(status: str, update: Mapping[str, Any]) -> str:
    if _is_retry(update):
        return "That attempt failed; trying again shortly"
    return {
        "queued": "Waiting in the queue",
        "processing": "Started",
        "completed": "Done",
        "failed": one_line(update.get("error") or "Failed"),
        "cancelled": "Cancelled",
    }.get(status, one_line(status))


class _SilentView:
    def show(self, update: Mapping[str, Any]) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class _LineView:
    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._steps = _Steps()
        console.print(Text(title))

    def show(self, update: Mapping[str, Any]) -> None:
        """Print a line when a step begins."""
        message = self._steps.entered(update)
        if message is not None:
            percent = 100.0 if update.get("status") == "completed" else self._steps.percent
            self._console.print(Text(f"  {percent:3.0f}%  {message}"))

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(Text(f"  {text}"))


class _LiveView:
    def __init__(self, bar: Progress, title: str) -> None:
        self._bar = bar
        self._steps = _Steps()
        self._current: str | None = None
        bar.console.print(Text(title, style="bold"))
        self._task = bar.add_task("", total=100.0, message="")

    def show(self, update: Mapping[str, Any]) -> None:
        """Move the bar; a step that is over stays above it with a check mark."""
        message = self._steps.entered(update)
        status = str(update.get("status", ""))
        if status == "completed":
            self._bar.update(self._task, completed=100.0)
        else:
            self._bar.update(self._task, completed=self._steps.percent)
        if message is None:
            return
        if self._current is not None:
            self._bar.console.print(Text.assemble(("  ✓ ", "green"), (self._current, "dim")))
        self._current = None if status in _FINAL_MARKS else message
        self._bar.update(self._task, message=message)
        if status in _FINAL_MARKS:
            mark, style, word = _FINAL_MARKS[status]
            said = word if message == word else f"{word}: {message}"
            self._bar.console.print(Text.assemble((f"  {mark} ", style), said))

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(Text(f"  {text}", style="yellow"))


def _bar(console: Console) -> Progress:
    message = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=_BAR_WIDTH, table_column=Column(min_width=_BAR_WIDTH)),
        TaskProgressColumn(table_column=Column(min_width=4)),
        TimeElapsedColumn(table_column=Column(min_width=7)),
        TextColumn("{task.fields[message]}", markup=False, style="cyan", table_column=message),
        console=console,
        transient=True,
        expand=True,
    )
