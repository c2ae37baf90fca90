"""How commands write: tables and progress for people, JSON for programs. Results go to standard output, the rest beside it.

Colours follow NO_COLOR and whether a terminal reads; a table that no terminal reads is not squeezed into 80 columns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pennyworth.money import Money

Fact = tuple[str, str, str]
"""Label, value, remark."""

_PIPE_COLUMNS = 120
_SHORT = 32


class Screen:
    """``out``: results. ``err``: progress, warnings, and what to do next."""

    def __init__(self) -> None:
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    def next(self, *commands: tuple[str, str]) -> None:
        """What one may want to do now: pairs of purpose and command line."""
        widest = max(len(purpose) for purpose, _ in commands)
        self.err.print()
        for purpose, command in commands:
            self.err.print(f"[dim]{purpose:<{widest}}[/]  [bold]{command}[/]", soft_wrap=True)

    def warn(self, text: str) -> None:
        self.err.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def progress(self) -> Progress:
        """A bar on standard error; nothing where no terminal reads it."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.err,
            disable=not self.err.is_terminal,
            transient=True,
        )


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_COLUMNS
    return console


def listing(*columns: str, title: str | None = None, right: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """A table with a head. ``right``: columns of figures. ``whole``: columns that must not be cut or wrapped."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(
            name, justify="right" if name in right else "left", no_wrap=name in right or name in whole, overflow="fold"
        )
    return table


def add(table: Table, *cells: str | Text) -> None:
    """A row as it stands: what looks like markup in a model's name or a reason is no markup."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))


def facts(title: str, rows: Iterable[Fact]) -> Table:
    """Lines of label, value, remark. Remarks begin in one column, as far as the values are short."""
    known = list(rows)
    widest = max((len(value) for _, value, remark in known if remark and len(value) <= _SHORT), default=0)
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2, 0, 0)
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value, remark in known:
        told = Text(value.ljust(widest) if remark else value)
        table.add_row(Text(label), told.append(f"  {remark}", style="dim") if remark else told)
    return table


def sum_of(
    spent: Money,
    saved: Mapping[str, Money],
    would: Money,
    write: Callable[[Money], str],
    remarks: tuple[str, str] = ("", ""),
) -> Iterator[Fact]:
    """The law of the books as a sum, one amount below the other. ``remarks``: on the first line and on the last."""
    layers = sorted(saved.items(), key=lambda entry: -entry[1].pico)
    amounts = [write(amount) for amount in (spent, *(amount for _, amount in layers), would)]
    widest = max(map(len, amounts))
    labels = ["spent", *(f"+ saved by {layer}" for layer, _ in layers), "= would have cost"]
    for place, (label, amount) in enumerate(zip(labels, amounts, strict=True)):
        remark = remarks[0] if not place else remarks[1] if place == len(amounts) - 1 else ""
        yield label, amount.rjust(widest), remark


def print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
