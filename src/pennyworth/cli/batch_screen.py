"""How far a batch is: a bar where a terminal reads, else a line now and then."""

from __future__ import annotations

import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pennyworth.batch.spool import Tally
from pennyworth.cli.amounts import lasting, usd
from pennyworth.cli.screen import Screen
from pennyworth.money import Money
from pennyworth.server.figures import HITS

_LINE_S = 10.0
_BAR_S = 0.1


class Meter:
    """Shows a tally while it grows. ``look`` is called after each answer, and looks at the clock."""

    def __init__(self, screen: Screen, lines: int, tally: Tally) -> None:
        self._screen = screen
        self._lines = lines
        self._tally = tally
        self._before = tally.answered
        self._began = time.monotonic()
        self._shown = self._began
        self._note = ""
        self._progress = Progress(
            TextColumn("answering"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=screen.err,
            disable=not screen.err.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=lines, completed=self._before, note="")

    def __enter__(self) -> Meter:
        self._progress.start()
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def look(self) -> None:
        now = time.monotonic()
        if now - self._shown >= (_BAR_S if self._screen.err.is_terminal else _LINE_S):
            self._shown = now
            self._show()

    def say(self, note: str) -> None:
        """What is waited for."""
        if note != self._note:
            self._note = note
            self._show()

    def _show(self) -> None:
        words = words_of(self._tally, (self._tally.answered - self._before) / max(1.0, self._shown - self._began))
        words = f"{words}, {self._note}" if self._note else words
        if self._screen.err.is_terminal:
            self._progress.update(self._task, completed=self._tally.answered, note=words)
        else:
            self._screen.err.print(
                f"{self._tally.answered:,} of {self._lines:,}: {words}{self._left()}", soft_wrap=True
            )

    def _left(self) -> str:
        answered = self._tally.answered - self._before
        if not answered or self._note:
            return ""
        left_s = (self._lines - self._tally.answered) * (self._shown - self._began) / answered
        return f", {lasting(left_s)} left"


def words_of(tally: Tally, rate: float) -> str:
    hits = sum(tally.served.get(kind, 0) for kind in HITS)
    wrong = tally.answered - tally.troubles.get("", 0)
    amounts = f"{usd(Money(tally.spent))} spent, {usd(Money(tally.saved))} saved"
    return f"{amounts}, {hits:,} hits, {wrong:,} errors, {rate:.1f}/s"
