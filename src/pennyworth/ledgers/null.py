"""Books that are switched off: nothing is written, nothing is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pennyworth.ledgers.lines import Record
from pennyworth.outcome import Receipt, Totals
from pennyworth.ports import Group


class NullJournal:
    """Acknowledges and forgets."""

    def append(self, record: Record) -> None:
        pass

    def close(self) -> None:
        pass


class NullLedger:
    """Holds no receipts; its totals are zero."""

    def fold(self, records: Iterable[Record]) -> int:
        return 0

    def totals(self, since_s: float, until_s: float, by: Group = "") -> dict[str, Totals]:
        return {"": Totals()} if by == "" else {}

    def receipts(
        self, limit: int, before_s: float | None = None, where: Mapping[str, str] | None = None
    ) -> Sequence[Receipt]:
        return ()

    def receipt(self, receipt_id: str) -> Receipt | None:
        return None

    def close(self) -> None:
        pass
