"""Books in memory, for the library inside somebody's program and for tests: gone when the process is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pennyworth.decide import forget
from pennyworth.ledgers.lines import Record
from pennyworth.ledgers.tally import Facet, Part, Tally, checked_filter, facet_of, group_key, part_of, totals_of
from pennyworth.ledgers.window import Window, hour_of, window
from pennyworth.outcome import Receipt, Totals
from pennyworth.ports import Group, Ledger
from pennyworth.whom import Erasure, Whom


class MemoryJournal:
    """A journal for books that live no longer than the process: each record goes to the ledger at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def append(self, record: Record) -> None:
        self._ledger.fold((record,))

    def close(self) -> None:
        pass


class MemoryLedger:
    """A ``Ledger``, and a ``Forgets`` with its ``ErasureBook``. Keeps the sums for good and the last ``max_receipts`` receipts.

    A receipt pushed out stays in the sums of its hour, but it is no longer known by its id, and a window that cuts
    through its hour leaves it out.
    """

    place = "receipts"

    def __init__(self, max_receipts: int = 100_000) -> None:
        self._max_receipts = max_receipts
        self._lock = threading.Lock()
        self._receipts: dict[str, Receipt] = {}
        self._sums: dict[tuple[int, Facet], Tally] = {}
        self._erasures: list[Erasure] = []

    def fold(self, records: Iterable[Record]) -> int:
        with self._lock:
            return sum(self._book(record) for record in records if isinstance(record, Receipt))

    def totals(self, since_s: float, until_s: float, by: Group = "") -> dict[str, Totals]:
        with self._lock:
            return totals_of(self._parts(window(since_s, until_s), by), by)

    def receipts(
        self, limit: int, before_s: float | None = None, where: Mapping[str, str] | None = None
    ) -> Sequence[Receipt]:
        wanted = checked_filter(where)
        with self._lock:
            found = [r for r in self._receipts.values() if before_s is None or r.at_s < before_s]
        matching = [r for r in found if all(getattr(r, name) == value for name, value in wanted.items())]
        return sorted(matching, key=lambda receipt: receipt.at_s, reverse=True)[: max(limit, 0)]

    def receipt(self, receipt_id: str) -> Receipt | None:
        return self._receipts.get(receipt_id)

    def count(self, whom: Whom) -> int:
        with self._lock:
            return sum(map(whom.made, self._receipts.values()))

    def forget(self, whom: Whom) -> int:
        with self._lock:
            theirs = [receipt for receipt in self._receipts.values() if whom.made(receipt)]
            for receipt in theirs:
                emptied = forget.emptied(receipt, whom)
                self._receipts[receipt.id] = emptied
                hour = hour_of(receipt.at_s)
                self._sums.setdefault((hour, facet_of(emptied)), Tally()).add(emptied)
                left = self._sums[hour, facet_of(receipt)]
                left.take(receipt)
                if left.is_empty:
                    del self._sums[hour, facet_of(receipt)]
            return len(theirs)

    def note(self, erasure: Erasure) -> None:
        self._erasures.append(erasure)

    def erasures(self, limit: int) -> Sequence[Erasure]:
        return self._erasures[::-1][:limit]

    def close(self) -> None:
        pass

    def _book(self, receipt: Receipt) -> bool:
        if receipt.id in self._receipts:
            return False
        self._receipts[receipt.id] = receipt
        self._sums.setdefault((hour_of(receipt.at_s), facet_of(receipt)), Tally()).add(receipt)
        if len(self._receipts) > self._max_receipts:
            del self._receipts[next(iter(self._receipts))]
        return True

    def _parts(self, span: Window, by: Group) -> Iterator[Part]:
        for (hour, facet), tally in self._sums.items():
            if span.first_hour <= hour < span.end_hour:
                yield Part(group_key(by, hour, facet), facet.served, facet.ending, tally)
        for receipt in self._receipts.values():
            if any(start <= receipt.at_s < end for start, end in span.edges):
                yield part_of(receipt, by)
