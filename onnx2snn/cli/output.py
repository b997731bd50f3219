"""Printing: tables and JSON on standard output, everything else on standard error."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from onnx2snn.plan import Diagnostic

#: A bar is drawn for what takes longer than this, in seconds.
PATIENCE = 1.0
#: Width where the output is no terminal.
PLAIN_WIDTH = 120


class Report(Protocol):
    """Called with (what is done, steps done, steps in all)."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show progress."""
        ...


def console(*, stderr: bool = False) -> Console:
    """A console on the stream as it is now; wide enough for tables where it is no terminal."""
    # Names of nodes are no markup: ":x:" stays as it is.
    out = Console(stderr=stderr, highlight=False, emoji=False)
    if not out.is_terminal:
        out = Console(stderr=stderr, highlight=False, emoji=False, width=PLAIN_WIDTH)
    return out


def error_line(text: str) -> None:
    """One line on standard error."""
    console(stderr=True).print(f"error: {text}", markup=False, soft_wrap=True)


def note(text: str) -> None:
    """A remark for people, on standard error."""
    console(stderr=True).print(text, markup=False, soft_wrap=True)


def say(text: str) -> None:
    """A line of the answer."""
    console().print(text, markup=False, soft_wrap=True)


def print_json(schema: str, content: dict[str, Any]) -> None:
    """The answer for machines; ``schema`` names its form."""
    print(json.dumps({"schema": f"onnx2snn.{schema}/1", **content}, indent=1))  # noqa: T201


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; columns of numbers align right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    cells = [list(row) for row in rows]
    for i, column in enumerate(columns):
        numbers = all(_is_number(row[i]) for row in cells)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    console().print(table, markup=False)


def _is_number(text: str) -> bool:
    """Whether a cell is a number, a span of numbers, or empty."""
    return all(c in "0123456789.e+-–… ?" for c in text)


def print_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    """Every warning and error; infos of one kind are gathered."""
    err = console(stderr=True)
    by_code: dict[str, list[Diagnostic]] = {}
    for item in diagnostics:
        by_code.setdefault(item.code, []).append(item)
    for items in by_code.values():
        shown = items if items[0].severity != "info" else items[:1]
        for item in shown:
            err.print(f"{item.severity}: {item}", markup=False, soft_wrap=True)
        if len(items) > len(shown):
            more = len(items) - len(shown)
            err.print(
                f"  … and {more} more like it; --json lists all", markup=False, soft_wrap=True
            )


def diagnostics_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, str]]:
    """Diagnostics for machines."""
    return [vars(d).copy() for d in diagnostics]


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Report]:
    """A bar on standard error, if that is a terminal, once something takes long."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    shown = bar.console.is_terminal and not quiet
    started = time.monotonic()
    tasks: dict[str, Any] = {}

    def report(what: str, done: int, total: int) -> None:
        if not shown or time.monotonic() - started < PATIENCE:
            return
        if not tasks:
            bar.start()
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)

    try:
        yield report
    finally:
        if tasks:
            bar.stop()


def percent(share: float | None) -> str:
    """A share as a percentage."""
    return "–" if share is None else f"{100 * share:.2f}"
