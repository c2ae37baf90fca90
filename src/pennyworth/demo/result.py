"""What the demo found, as one value, and the checks that decide whether it passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pennyworth.demo.ceiling import Ceiling
from pennyworth.demo.faults import RATES
from pennyworth.demo.heard import Heard
from pennyworth.demo.reconcile import Reconciliation
from pennyworth.demo.stream import LAW
from pennyworth.demo.timing import Spread, spread
from pennyworth.money import Money
from pennyworth.outcome import Receipt, Totals
from pennyworth.server.admin_json import plain
from pennyworth.server.figures import HITS

MOST_FAILED = 0.05
"""More requests than this without an answer, and the demo has shown nothing."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the demo is run. ``at_once``: requests in flight. ``keep``: a directory to leave the books in."""

    requests: int = 3000
    seed: int = 1
    at_once: int = 16
    keep: str = ""


class Check(msgspec.Struct, frozen=True):
    """One thing that must be so. ``found``: what was seen."""

    claim: str
    holds: bool
    found: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the demo prints.

    Attributes:
        served: how the stream's requests were answered. ``failed``: by what the SDK raised in the end.
        receipts: requests by the gateway's count: the SDK's retries are requests of their own.
        limited: answers cut at their length limit by the provider, and passed on as such.
        client, gateway: waiting times as the SDK's caller saw them, and as the gateway measured them.
        state_dir: where the books were left; "" when they are gone.
    """

    settings: Settings
    questions: int
    prices: dict[str, dict[str, str]]
    served: dict[str, int]
    failed: dict[str, int]
    receipts: int
    retries: int
    limited: int
    ceiling: Ceiling
    saved_by_layer: dict[str, Money]
    client: dict[str, Spread]
    gateway: dict[str, Spread]
    reconciliation: Reconciliation
    wrong: tuple[str, ...]
    ledger: tuple[str, ...]
    gateway_status: int | None
    seconds: float
    state_dir: str = ""

    @property
    def hits(self) -> dict[str, int]:
        return {kind: self.served.get(kind, 0) for kind in ("exact", "normalised", "coalesced")}

    @property
    def hit_rate(self) -> float:
        return sum(self.served.get(kind, 0) for kind in HITS) / self.settings.requests

    @property
    def passed(self) -> bool:
        return all(check.holds for check in checks(self))


def checks(result: Result) -> Iterator[Check]:
    """What must be so, or the demo has failed."""
    books = result.reconciliation
    answers = sum(result.served.values())
    wrong = f"{len(result.wrong)} wrong" if result.wrong else f"{answers:,} answers, none wrong"
    yield Check("every answer is right and whole", not result.wrong, wrong)
    calls = f"{books.calls:,} by the receipts, {books.billed_calls:,} by the bill"
    yield Check("both books know the same calls", books.calls == books.billed_calls, calls)
    apart = books.agreed_amount.pico - books.bill_amount.pico
    compared = f"{apart:+,} of {books.bill_amount.pico:,} picodollars, call by call"
    yield Check("the ledger equals the bill", not books.differences and not apart, compared)
    rest = (books.spent + books.saved - books.would_have_cost).pico
    yield Check(
        "spent + saved = would have cost", not rest, f"{rest:+,} picodollars, on each of {books.receipts:,} receipts"
    )
    same = "the same" if not result.ledger else "; ".join(result.ledger)
    yield Check("the totals are the sum of the receipts", not result.ledger, same)
    lost = sum(result.failed.values())
    few = lost <= MOST_FAILED * result.settings.requests and sum(result.hits.values()) > 0
    yield Check(
        "nearly all were answered", few, f"{lost:,} without an answer; at most {100 * MOST_FAILED:.0f} % may be"
    )
    ended = "in order" if result.gateway_status == 0 else f"with status {result.gateway_status}"
    yield Check("the gateway drained and ended", result.gateway_status == 0, ended)


def waits(heard: Sequence[Heard]) -> dict[str, Spread]:
    """As the caller of the SDK saw them."""
    good = [each for each in heard if not each.reply.failure]
    return {
        "hits": spread([each.ms for each in good if each.hit and each.served != "coalesced"]),
        "coalesced": spread([each.ms for each in good if each.served == "coalesced"]),
        "misses": spread([each.ms for each in good if not each.hit]),
    }


def gateway_waits(receipts: Sequence[Receipt]) -> dict[str, Spread]:
    """As the gateway measured them, without the SDK and its retries."""
    good = [each for each in receipts if each.served != "none"]
    return {
        "hits": spread([each.latency.total_ms for each in good if each.served in ("exact", "normalised")]),
        "coalesced": spread([each.latency.total_ms for each in good if each.served == "coalesced"]),
        "misses": spread([each.latency.total_ms for each in good if each.served == "upstream"]),
    }


def served(heard: Sequence[Heard]) -> dict[str, int]:
    return dict(Counter(each.served for each in heard if not each.reply.failure).most_common())


def failed(heard: Sequence[Heard]) -> dict[str, int]:
    return dict(Counter(each.reply.failure for each in heard if each.reply.failure).most_common())


def ledger_differences(totals: Totals, receipts: Sequence[Receipt], books: Reconciliation) -> list[str]:
    """Where the ledger's roll-ups are not what its receipts add up to."""
    pairs: Mapping[str, tuple[object, object]] = {
        "requests": (totals.requests, len(receipts)),
        "upstream calls": (totals.upstream_calls, books.calls),
        "spent": (totals.spent, books.spent),
        "would have cost": (totals.would_have_cost, books.would_have_cost),
        "saved": (sum(amount.pico for amount in totals.saved.values()), books.saved.pico),
    }
    return [
        f"{name}: {total} in all, {summed} by the receipts"
        for name, (total, summed) in pairs.items()
        if total != summed
    ]


def to_json(result: Result) -> dict[str, Any]:
    """The result for programs: money as whole picodollars and as dollars."""
    books = result.reconciliation
    return {
        "passed": result.passed,
        "checks": [msgspec.to_builtins(check) for check in checks(result)],
        "law": LAW,
        "faults": RATES,
        **plain(result),
        "hits": result.hits,
        "hit_rate": round(result.hit_rate, 6),
        "highest_hit_rate": round(result.ceiling.highest, 6),
        "upstream_calls": books.calls,
        "spent": plain(books.spent),
        "saved": plain(books.saved),
        "would_have_cost": plain(books.would_have_cost),
        "difference_picodollars": books.agreed_amount.pico - books.bill_amount.pico,
    }
