"""Sums over receipts since the process started: what metrics and stats show without asking the ledger.

Plain integers and lists, so that a supervisor can add up the workers' (``merge``) and money stays exact.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from pennyworth.decide.drift import Tally
from pennyworth.outcome import Receipt

BUCKETS_MS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0)
"""Upper edges of the latency histogram, milliseconds; one more bucket holds the rest."""

_MOST_TARGETS = 500
_NO_TROUBLE = ("drift:", "fallback:")
"""Notes that tell of a provider or of the request itself. The former are counted by target."""


class Histogram(msgspec.Struct):
    """Counts per bucket, and the sum in milliseconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS_MS) + 1))
    sum_ms: float = 0.0

    def observe(self, ms: float) -> None:
        self.counts[bisect_left(BUCKETS_MS, ms)] += 1
        self.sum_ms += ms

    def merge(self, other: Histogram) -> None:
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.sum_ms += other.sum_ms


class Counters(msgspec.Struct):
    """Everything counted. Money in picodollars.

    Attributes:
        requests: "served/ending" -> number. ``latency``: served -> time to the end of the reply.
        troubles: what of ours failed -> number of requests that noticed.
        more_calls: "retry/target", "fallback/target", "hedge/target" -> calls beyond the first of a request.
        turned_away: "how/target" -> requests that were not sent there: no room, or left alone.
        drift: target -> what it says of its own replies, held against what we see of them.
        limited: requests beyond an allowance, "what was short/what became of them" -> number.
        alerts: kind -> number told by this worker. ``recovered``: lives of dead workers whose leases it settled.
        bypass_would_have: what sampled requests that were not looked up would have cost if they repeat a kept question.
    """

    requests: dict[str, int] = {}
    latency: dict[str, Histogram] = {}
    first_byte: Histogram = msgspec.field(default_factory=Histogram)
    upstream_calls: dict[str, int] = {}
    more_calls: dict[str, int] = {}
    turned_away: dict[str, int] = {}
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    spent: int = 0
    would_have_cost: int = 0
    saved: dict[str, int] = {}
    own: int = 0
    estimated: int = 0
    unpriced: int = 0
    kept: int = 0
    not_kept: dict[str, int] = {}
    troubles: dict[str, int] = {}
    drift: dict[str, Tally] = {}
    limited: dict[str, int] = {}
    alerts: dict[str, int] = {}
    recovered: int = 0
    bypass_repeats: int = 0
    bypass_would_have: int = 0

    def book(self, receipt: Receipt) -> None:
        """Adds one receipt."""
        served, latency, usage = receipt.served, receipt.latency, receipt.usage
        _add(self.requests, f"{served}/{receipt.ending}")
        histogram = self.latency.get(served)
        if histogram is None:
            histogram = self.latency[served] = Histogram()
        histogram.observe(latency.total_ms)
        if latency.first_byte_ms:
            self.first_byte.observe(latency.first_byte_ms)
        if usage is not None:
            self.input_tokens += usage.input
            self.output_tokens += usage.output
            self.cached_tokens += usage.cached
        self.spent += receipt.spent.pico
        self.would_have_cost += receipt.would_have_cost.pico
        self.own += receipt.own.pico
        for layer, amount in receipt.saved.items():
            _add(self.saved, layer, amount.pico)
        for attempt in receipt.attempts:
            self._count(self.upstream_calls, attempt.target, str(attempt.status))
            if attempt.why:
                self._count(self.more_calls, attempt.why.partition(":")[0].partition(" ")[0], attempt.target)
        for note in receipt.notes:
            if not note.startswith(_NO_TROUBLE):
                _add(self.troubles, note.partition(":")[0])
        bases = (receipt.basis, receipt.would_basis)
        self.estimated += "estimated" in bases  # as the ledger's totals count it
        self.unpriced += "unpriced" in bases

    def drift_of(self, target: str) -> Tally:
        """What is known of a target's word; beyond the most targets, of all the rest together."""
        tally = self.drift.get(target)
        if tally is None:
            name = target if len(self.drift) < _MOST_TARGETS else "other"
            tally = self.drift.setdefault(name, Tally())
        return tally

    def turn_away(self, how: str, target: str) -> None:
        self._count(self.turned_away, how, target)

    def _count(self, counts: dict[str, int], one: str, other: str) -> None:
        """Callers choose the model, so the number of targets has an end here: the rest are counted together."""
        name = f"{one}/{other}"
        if name not in counts and len(counts) >= _MOST_TARGETS:
            name = f"other/{other}" if counts is self.upstream_calls else f"{one}/other"
        _add(counts, name)

    def merge(self, other: Counters) -> None:
        """Adds another process's counters."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, dict):
                _merge(mine, theirs)
            elif isinstance(mine, Histogram):
                mine.merge(theirs)
            else:
                setattr(self, name, mine + theirs)


def _add(counts: dict[str, int], name: str, by: int = 1) -> None:
    counts[name] = counts.get(name, 0) + by


def _merge(mine: dict[str, object], theirs: dict[str, object]) -> None:
    for name, value in theirs.items():
        if isinstance(value, Histogram | Tally):
            known = mine.setdefault(name, type(value)())
            known.merge(value)  # type: ignore[attr-defined]
        else:
            mine[name] = mine.get(name, 0) + value  # type: ignore[operator]
