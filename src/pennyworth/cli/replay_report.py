"""What became of a replayed file, added up: for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from pennyworth.cli.amounts import milliseconds, share, usd
from pennyworth.cli.books import open_books
from pennyworth.cli.exits import CommandError
from pennyworth.cli.replay_send import Heard
from pennyworth.cli.screen import Fact, Screen, sum_of
from pennyworth.demo.timing import Spread, spread
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import ZERO, Money
from pennyworth.plan import Plan
from pennyworth.server.admin_json import money, plain
from pennyworth.server.figures import HITS


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, added up. ``unknown``: replies whose cost nobody here knows."""

    requests: int
    failed: int
    served: dict[str, int]
    spent: Money
    saved: Money
    unknown: int

    @property
    def hits(self) -> int:
        return sum(number for kind, number in self.served.items() if kind in HITS)


def sums_of(heard: Sequence[Heard]) -> Sums:
    """The sums over all replies; money where it is known."""
    good = [each for each in heard if not each.problem]
    served = {kind: sum(each.served == kind for each in good) for kind in (*HITS, "upstream")}
    return Sums(
        requests=len(heard),
        failed=len(heard) - len(good),
        served={kind: number for kind, number in served.items() if number},
        spent=sum((each.spent for each in heard if each.spent is not None), ZERO),
        saved=sum((each.saved for each in heard if each.saved is not None), ZERO),
        unknown=sum(each.spent is None for each in heard),
    )


def _times(heard: Sequence[Heard], *, hits: bool) -> Spread:
    return spread([each.ms for each in heard if not each.problem and (each.served in HITS) is hits])


def facts_of(heard: Sequence[Heard]) -> Iterator[Fact]:
    """For people."""
    sums = sums_of(heard)
    yield "answered", f"{sums.requests - sums.failed:,}", f"{sums.failed:,} failed" if sums.failed else ""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in sums.served.items() if kind in HITS)
    yield "from kept answers", f"{sums.hits:,}", share(sums.hits, sums.requests) + (f": {kinds}" if kinds else "")
    yield "by providers", f"{sums.served.get('upstream', 0):,}", ""
    if sums.unknown < sums.requests:
        yield from sum_of(sums.spent, {"the gateway": sums.saved}, sums.spent + sums.saved, usd)
    if sums.unknown:
        yield "cost unknown", f"{sums.unknown:,}", "errors, unpriced models, and streams where no books are at hand"
    for label, hits in (("a hit took", True), ("a miss took", False)):
        took = _times(heard, hits=hits)
        if took.count:
            yield label, f"p50 {milliseconds(took.p50_ms)}", f"p99 {milliseconds(took.p99_ms)}"


def to_json(heard: Sequence[Heard], base_url: str) -> dict[str, object]:
    """For programs."""
    sums = sums_of(heard)
    return {
        "url": base_url,
        **plain(sums),
        "hits": sums.hits,
        "would_have_cost": money(sums.spent + sums.saved),
        "latency": {"hits": _times(heard, hits=True), "misses": _times(heard, hits=False)},
        "problems": [{"line": each.line, "problem": each.problem} for each in heard if each.problem],
    }


def with_amounts(plan: Plan, heard: list[Heard], screen: Screen) -> list[Heard]:
    """A stream's head is sent before its cost is known: where the books are on this machine, they tell."""
    if all(each.spent is not None or not each.receipt for each in heard):
        return heard
    with suppress(CommandError), open_books(plan, screen) as ledger:
        return [_with_amount(each, ledger) for each in heard]
    return heard


def _with_amount(heard: Heard, ledger: SqliteLedger) -> Heard:
    receipt = ledger.receipt(heard.receipt) if heard.spent is None and heard.receipt else None
    if receipt is None or receipt.would_basis == "unpriced":
        return heard
    return msgspec.structs.replace(heard, spent=receipt.spent, saved=receipt.would_have_cost - receipt.spent)
