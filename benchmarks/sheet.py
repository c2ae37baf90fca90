"""A table of results: what was measured, how, and the rows; printed for people or for programs."""

from __future__ import annotations

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

Cell = str | float | int | None
"""``None`` is printed as nothing: it does not apply, or was not measured."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """``rows`` map the columns' names to what stands there; ``notes`` are lines below the table."""

    name: str
    title: str
    method: str
    rows: list[dict[str, Cell]]
    notes: tuple[str, ...] = ()

    def print(self, console: Console) -> None:
        console.print(f"\n[bold]{self.title}[/bold]\n{self.method}", highlight=False)
        table = Table(box=box.MARKDOWN)
        for name in self.rows[0]:
            table.add_column(name, justify="left" if isinstance(self.rows[0][name], str) else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*map(_shown, row.values()))
        console.print(table)
        for note in self.notes:
            console.print(note, highlight=False)


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case float():
            return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
        case int():
            return f"{cell:,}"
        case _:
            return cell
