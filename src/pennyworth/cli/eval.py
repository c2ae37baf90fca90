"""``pennyworth eval``: the judged measures, on any data of the right format; each eval is a command below it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import App, Parameter
from rich.text import Text

from pennyworth.cli.exits import FAILED, OK
from pennyworth.cli.options import AsJson
from pennyworth.cli.screen import Screen, add, listing
from pennyworth.eval.checks import Settings
from pennyworth.eval.figures import Figure
from pennyworth.eval.rows import Row, rows
from pennyworth.eval.sample import SAMPLE
from pennyworth.eval.wire import figures
from pennyworth.prices.genai import GenaiPrices

T = TypeVar("T")
_SHOWN = 3

eval = App(
    name="eval",
    help="""Measure the shipped code on recorded data.

Nothing is asked of any provider and no state is touched. What an eval prints
can be printed again: the seed and the day of the prices are fixed. With --json
each measure is one object a line.

For example:

    pennyworth eval wire
    pennyworth eval wire --data ../shared/data/http_cassettes --json""",
)


@eval.command(name="wire")
def wire(
    *,
    data: Annotated[
        Path | None, Parameter(help="A folder with pairs.jsonl or pairs.jsonl.gz; else a small sample that is shipped.")
    ] = None,
    seed: Annotated[int, Parameter(help="Where streams are cut.")] = 1,
    as_json: AsJson = False,
) -> int:
    """Recorded traffic of all dialects, through the code that serves it.

    Each request and reply is read and rebuilt from what was read of it, with
    its bytes thrown away; carried into every other dialect and back; streams
    are recorded under random cuts and broken off anywhere; tokens are compared
    with a plain reading, and so is what must never be kept. Ends with 1 where
    one row of the dialects we speak falls short of what is required.

    For example:

        pennyworth eval wire
        pennyworth eval wire --data ../shared/data/http_cassettes
        pennyworth eval wire --data DIR --json | jq 'select(.detail.required)'
    """
    screen = Screen()
    folder = data or SAMPLE
    found = list(figures(str(folder), _watched(screen, list(rows(folder))), Settings(GenaiPrices(), seed)))
    if as_json:
        sys.stdout.writelines(f"{msgspec.json.encode(figure).decode()}\n" for figure in found)
    else:
        _show(screen, found)
    return FAILED if any(figure.short for figure in found) else OK


def _watched(screen: Screen, found: list[Row]) -> Iterator[Row]:
    with screen.progress() as bar:
        yield from bar.track(found, description="rows")


def _show(screen: Screen, found: Iterable[Figure]) -> None:
    table = listing("", "measure", "of", "value", "remark", right=("of", "value"), whole=("measure",))
    for figure in found:
        add(table, _mark(figure), figure.measure, f"{figure.n:,}", _value(figure), _remark(figure))
    screen.out.print(table)
    for figure in found:
        if figure.short:
            ids = ", ".join(figure.detail.get("rows", ()))
            screen.err.print(f"{figure.measure} falls short: {ids}", style="bold red", markup=False, soft_wrap=True)


def _mark(figure: Figure) -> Text:
    if "required" not in figure.detail:
        return Text("")
    return Text("SHORT", style="bold red") if figure.short else Text("ok", style="green")


def _value(figure: Figure) -> str:
    return f"{figure.value:.1%}" if isinstance(figure.value, float) else f"{figure.value:,}"


def _remark(figure: Figure) -> str:
    """What is most often in the way, else what there is to count."""
    told = figure.detail.get("reasons") or figure.detail.get("notes") or figure.detail.get("providers") or {}
    return ", ".join(f"{name} {number}" if name else f"{number}" for name, number in list(told.items())[:_SHOWN])
