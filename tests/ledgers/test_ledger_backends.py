"""Every ledger and journal we ship, held to its contract."""

from pathlib import Path

from pennyworth.ledgers.journal import FileJournal, read_records
from pennyworth.ledgers.lines import Record
from pennyworth.ledgers.memory import MemoryJournal, MemoryLedger
from pennyworth.ledgers.null import NullJournal, NullLedger
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.outcome import Totals
from pennyworth.ports import Ledger
from pennyworth.testing.contract_ledger import JournalContract, LedgerContract, everything, hit, paid


class TestMemoryLedger(LedgerContract):
    def make_ledger(self, folder: Path) -> Ledger:
        return MemoryLedger()


class TestSqliteLedger(LedgerContract):
    def make_ledger(self, folder: Path) -> Ledger:
        return SqliteLedger(folder / "state" / "ledger.sqlite")


class TestFileJournal(JournalContract):
    def make_journal(self, folder: Path) -> FileJournal:
        return FileJournal(folder / "journal", "w0")

    def found_in(self, folder: Path) -> list[Record]:
        paths = sorted((folder / "journal").iterdir())
        return [record for path in paths for record in read_records(path, 0).records]


class TestFileJournalThatRotates(TestFileJournal):
    def make_journal(self, folder: Path) -> FileJournal:
        return FileJournal(folder / "journal", "w0", rotate_bytes=1)


def test_a_memory_journal_books_at_once() -> None:
    ledger = MemoryLedger()
    MemoryJournal(ledger).append(paid("r1"))
    assert ledger.receipt("r1") == paid("r1")


def test_a_memory_ledger_keeps_the_sums_of_receipts_it_no_longer_holds() -> None:
    ledger = MemoryLedger(max_receipts=2)
    ledger.fold([paid("r1"), paid("r2"), hit("r3")])
    assert [receipt.id for receipt in ledger.receipts(10)] == ["r2", "r3"]
    assert everything(ledger).requests == 3


def test_books_that_are_off_know_nothing() -> None:
    NullJournal().append(paid("r1"))
    ledger = NullLedger()
    assert ledger.fold([paid("r1")]) == 0
    assert ledger.totals(0, float("inf")) == {"": Totals()}
    assert ledger.totals(0, float("inf"), "model") == {}
    assert ledger.receipt("r1") is None
    assert list(ledger.receipts(10)) == []
