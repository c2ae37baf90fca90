"""What a batch came to, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli.amounts import lasting, usd
from pennyworth.cli.screen import Fact, Screen, facts
from pennyworth.money import Money

if TYPE_CHECKING:
    from pennyworth.cli.batch_run import Done

_TROUBLES = (
    ("line", "wrong lines", "not a request, or a name that was there before; see the output"),
    ("failed", "failed", "an error instead of an answer; --retry-failed asks them again"),
    ("unknown", "unknown", "made, and lost when something broke: perhaps paid for; --retry-unknown asks them again"),
)


def show(screen: Screen, done: Done, out: Path) -> None:
    title = f"{out}: stopped, and not whole" if done.halted else f"{out}: {done.lines:,} lines"
    screen.out.print(facts(title, _facts(done)))
    if done.halted:
        screen.next(("go on", "the same command again"))


def _facts(done: Done) -> Iterator[Fact]:
    tally = done.tally
    yield "answered", f"{tally.troubles.get('', 0):,}", f"in {lasting(done.took_s)}"
    for served, number in sorted(tally.served.items(), key=lambda entry: -entry[1]):
        if served != "none":
            yield f"  {served}", f"{number:,}", ""
    for trouble, label, remark in _TROUBLES:
        if number := tally.troubles.get(trouble, 0):
            yield label, f"{number:,}", remark
    if left := done.lines - tally.answered:
        yield "left", f"{left:,}", "not asked yet, or under way at a provider"
    yield "spent", usd(Money(tally.spent)), ""
    yield "saved", usd(Money(tally.saved)), ""


def to_json(done: Done) -> dict[str, object]:
    tally = done.tally
    return {
        "lines": done.lines,
        "answered": tally.troubles.get("", 0),
        "errors": {trouble: tally.troubles.get(trouble, 0) for trouble, _, _ in _TROUBLES},
        "left": done.lines - tally.answered,
        "served": tally.served,
        "spent": {"pico": tally.spent, "usd": str(Money(tally.spent))},
        "saved": {"pico": tally.saved, "usd": str(Money(tally.saved))},
        "halted": done.halted,
        "seconds": round(done.took_s, 3),
    }
