"""From journal to ledger: own segments, dead workers' segments, calls left open, and folding that fails for a while."""

import threading
import time
from pathlib import Path

import msgspec
import pytest
from ledger_disk import room_for

from pennyworth.errors import StoreError
from pennyworth.ledgers.balance import balances
from pennyworth.ledgers.folder import JournalFolder, outcome_unknown
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.segment_book import OpenIntent, Progress, Stretch
from pennyworth.ledgers.segments import segments_in
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money
from pennyworth.outcome import Intent
from pennyworth.testing.contract_ledger import NOON_S, everything, hit, intent, paid


class Books:
    """A journal folder, its ledger, and the troubles that folding reported."""

    def __init__(self, tmp_path: Path) -> None:
        self.journals = tmp_path / "journal"
        self.ledger = SqliteLedger(tmp_path / "ledger.sqlite", busy_s=0.05)
        self.troubles: list[str] = []

    def journal(self, worker: str = "w0", rotate_bytes: int = 10**6) -> FileJournal:
        return FileJournal(self.journals, worker, rotate_bytes)

    def folder(self, worker: str = "", interval_s: float = 0.01) -> JournalFolder:
        return JournalFolder(
            self.journals, self.ledger, worker=worker, interval_s=interval_s, on_trouble=self.troubles.append
        )


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def eventually(true_by_and_by) -> None:
    give_up = time.monotonic() + 10
    while not true_by_and_by():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_flush_folds_what_everybody_has_appended_up_to_now(books: Books) -> None:
    folder = books.folder()
    folder.flush()
    one, two = books.journal("w0"), books.journal("w1", rotate_bytes=1)
    one.append(paid("r1"))
    two.append(hit("r2"))
    two.append(hit("r3"))
    folder.flush()
    assert everything(books.ledger).requests == 3
    one.append(paid("r4"))
    folder.flush()
    folder.flush()
    assert everything(books.ledger).requests == 4


def test_the_thread_folds_own_segments_soon_and_those_of_others_at_start(books: Books) -> None:
    mine, other = books.journal("mine"), books.journal("other")
    other.append(paid("at start"))
    folder = books.folder(worker="mine")
    folder.start()
    eventually(lambda: books.ledger.receipt("at start"))
    other.append(paid("later"))
    mine.append(paid("soon"))
    eventually(lambda: books.ledger.receipt("soon"))
    folder.close()
    assert books.ledger.receipt("later") is not None
    assert "pennyworth-folder" not in {thread.name for thread in threading.enumerate()}


class LedgerOfABusyWorker(SqliteLedger):
    """Whenever it is asked or told something, something more has been appended."""

    appended = 0
    stretches = 0

    def append(self) -> None:
        if self.appended < 50:
            self.journal.append(paid(f"r{self.appended}"))
            self.appended += 1

    def progress(self, segment: str) -> Progress:
        self.append()
        return super().progress(segment)

    def fold_stretch(self, stretch: Stretch) -> bool:
        self.append()
        self.stretches += 1
        return super().fold_stretch(stretch)


def test_what_is_appended_while_others_are_folded_waits_for_the_next_pass(tmp_path: Path) -> None:
    ledger = LedgerOfABusyWorker(tmp_path / "ledger.sqlite")
    ledger.journal = FileJournal(tmp_path / "journal", "mine")
    ledger.append()
    folder = JournalFolder(tmp_path / "journal", ledger, worker="mine", on_trouble=pytest.fail)
    for passes in (1, 2, 3):
        folder.fold_own()
        assert (ledger.stretches, everything(ledger).requests) == (passes, 2 * passes)


def test_segments_are_removed_when_they_are_folded_and_nobody_writes_them(books: Books) -> None:
    journal = books.journal(rotate_bytes=1)
    for i in range(4):
        journal.append(paid(f"r{i}"))
    folder = books.folder()
    folder.flush()
    assert [segment.seq for segment in segments_in(books.journals)] == [3]
    journal.append(paid("r4"))
    journal.close()
    folder.close()
    assert segments_in(books.journals) == []
    assert everything(books.ledger).requests == 5


def test_calls_a_dead_worker_left_open_become_receipts_of_unknown_outcome(books: Books) -> None:
    journal = books.journal("w-7")
    journal.append(msgspec.structs.replace(intent("open", pico=70), client="alice", team="search"))
    journal.append(intent("done"))
    journal.append(paid("done"))
    journal.close()
    books.folder().flush()
    unknown = books.ledger.receipt("open")
    assert unknown is not None
    assert (unknown.ending, unknown.served, unknown.status, unknown.at_s) == ("unknown", "none", 0, NOON_S)
    assert (unknown.spent, unknown.basis) == (Money(70), "estimated")
    assert (unknown.would_have_cost, unknown.would_basis) == (Money(70), "estimated")
    assert (unknown.worker, unknown.scope, unknown.model, unknown.target) == ("w-7", "team-a", "small", "openai/small")
    assert (unknown.client, unknown.team) == ("alice", "search")
    assert unknown.reason == "process ended before the reply was booked"
    assert balances(unknown)
    total = everything(books.ledger)
    assert (total.requests, total.endings, total.upstream_calls) == (2, {"complete": 1, "unknown": 1}, 2)
    assert list(books.ledger.open_intents()) == []


def test_calls_of_a_living_worker_stay_open_across_its_segments(books: Books) -> None:
    journal = books.journal(rotate_bytes=1)
    for i in range(5):
        journal.append(intent(f"r{i}"))
        books.folder().flush()
    assert everything(books.ledger).requests == 0
    for i in range(5):
        journal.append(paid(f"r{i}"))
    books.folder().flush()
    assert everything(books.ledger).endings == {"complete": 5}


def test_an_unpriced_call_left_open_stays_unpriced() -> None:
    left = Intent(id="r1", at_s=1.0, scope="s", model="m", target="t", basis="unpriced")
    receipt = outcome_unknown(OpenIntent("w0-1", left))
    assert (receipt.basis, receipt.would_basis) == ("unpriced", "unpriced")


def test_adopters_at_the_same_time_agree(books: Books, tmp_path: Path) -> None:
    for worker in range(6):
        journal = books.journal(f"w{worker}", rotate_bytes=2000)
        for i in range(30):
            journal.append(intent(f"{worker}-{i}"))
            if i % 3:
                journal.append(paid(f"{worker}-{i}"))
        journal.close()
    folders = [
        JournalFolder(books.journals, SqliteLedger(tmp_path / "ledger.sqlite"), on_trouble=books.troubles.append)
        for _ in range(4)
    ]
    threads = [threading.Thread(target=folder.close) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    books.folder().flush()
    total = everything(books.ledger)
    assert (total.requests, total.endings) == (180, {"complete": 120, "unknown": 60})
    assert total.spent == Money(120 * 1_000_000_000_001 + 60 * 7)
    assert (books.troubles, segments_in(books.journals)) == ([], [])


def test_damaged_lines_are_reported_and_their_segment_is_kept_aside(books: Books) -> None:
    journal = books.journal()
    journal.append(paid("r1"))
    (segment,) = segments_in(books.journals)
    path = books.journals / segment.name
    with path.open("ab") as file:
        file.write(b'{"type":"rec\n')
    journal.append(paid("r2"))
    books.folder().flush()
    journal.close()
    books.folder().flush()
    assert everything(books.ledger).requests == 2
    assert len(books.troubles) == 1
    assert books.troubles[0].startswith("1 damaged lines in")
    assert [file.name for file in books.journals.iterdir()] == [path.with_suffix(".damaged").name]
    books.folder().flush()
    assert len(books.troubles) == 1


def test_a_record_cut_off_by_the_death_of_its_worker_was_never_acknowledged_and_is_no_trouble(books: Books) -> None:
    journal = books.journal()
    journal.append(paid("r1"))
    journal.append(intent("r2"))
    journal.close()
    (segment,) = segments_in(books.journals)
    with (books.journals / segment.name).open("ab") as file:
        file.write(b'{"type":"receipt","id":"r2","at')
    books.folder().flush()
    assert everything(books.ledger).endings == {"complete": 1, "unknown": 1}
    assert (books.troubles, list(books.journals.iterdir())) == ([], [])


def test_folding_that_fails_is_reported_once_and_made_up_for_later(books: Books, tmp_path: Path) -> None:
    journal = books.journal()
    journal.append(paid("r0"))
    folder = books.folder()
    folder.flush()
    with room_for((tmp_path / "ledger.sqlite-wal").stat().st_size):
        journal.append(paid("r1"))
        with pytest.raises(StoreError):
            folder.flush()
        folder.start()
        eventually(lambda: books.troubles)
        journal.append(paid("r2"))
        time.sleep(0.05)
    eventually(lambda: everything(books.ledger).requests == 3)
    folder.close()
    assert len(books.troubles) == 1
    assert "ledger.sqlite" in books.troubles[0]
    assert "The journal keeps" in books.troubles[0]


def test_a_folder_stopped_before_it_was_started_still_folds(books: Books) -> None:
    books.journal().append(paid("r1"))
    books.folder().close()
    assert everything(books.ledger).requests == 1
