"""When a worker's life is closed, and what it spent in it."""

import time
from pathlib import Path

import pytest

from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.lives import JournalLives, life_of
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money
from pennyworth.outcome import Intent
from pennyworth.ports import Account
from pennyworth.testing.contract_ledger import paid

RUN = "0a1b2c3d"
NOW_S = float(int(time.time()))
DAY = (NOW_S - 43_200, NOW_S + 43_200)


class Books:
    def __init__(self, folder: Path) -> None:
        self.ledger = SqliteLedger(folder / "ledger.db")
        self.lives = JournalLives(folder / "journal", self.ledger)
        self.folder = JournalFolder(folder / "journal", self.ledger, on_trouble=lambda _: None)
        self.journal = FileJournal(folder / "journal", "w0")
        self.life = life_of(self.journal.owner, RUN)

    def spent(self, subject: str, since_s: float = 0.0) -> int:
        return self.lives.spent(self.life, Account(subject, "pico", *DAY), since_s)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def of(number: int, at_s: float = NOW_S, run: str = RUN, **changes: object) -> dict[str, object]:
    return {"receipt_id": f"r-{int(at_s * 1000):011x}-{run}-{number:06x}", "at_s": at_s, **changes}


def test_a_life_is_closed_when_its_journal_has_been_folded_and_removed(books: Books) -> None:
    books.journal.append(paid(**of(1)))
    books.folder.flush()
    assert not books.lives.closed(books.life)
    books.journal.append(paid(**of(2)))
    books.journal.close()
    assert not books.lives.closed(books.life)
    books.folder.flush()
    assert books.lives.closed(books.life)


def test_a_call_left_open_keeps_a_life_open_until_it_is_booked_with_its_estimate(books: Books) -> None:
    receipt_id = str(of(1)["receipt_id"])
    call = Intent(
        id=receipt_id, at_s=NOW_S, scope="s", model="m", target="p/m", estimate=Money(77), client="alice", team="t"
    )
    books.journal.append(call)
    books.folder.flush()
    books.journal.close()
    books.folder.flush()
    assert books.lives.closed(books.life)
    assert books.spent("key:alice") == books.spent("team:t") == 77


def test_what_a_run_spent_is_told_apart_by_client_team_window_and_run(books: Books) -> None:
    for receipt in (
        paid(**of(1, client="alice", team="t"), pico=1),
        paid(**of(2, client="bob", team="t"), pico=10),
        paid(**of(3, client="", team=""), pico=100),
        paid(**of(4, at_s=DAY[1], client="alice", team="t"), pico=1000),
        paid(**of(5, run="ffffffff", client="alice", team="t"), pico=10_000),
    ):
        books.journal.append(receipt)
    books.journal.close()
    books.folder.flush()
    assert {subject: books.spent(subject) for subject in ("key:alice", "key:bob", "team:t", "everyone")} == {
        "key:alice": 1,
        "key:bob": 10,
        "team:t": 11,
        "everyone": 111,
    }
    assert books.spent("everyone", NOW_S + 1) == 0
    so_far = {
        subject: books.lives.so_far(Account(subject, "pico", *DAY)) for subject in ("key:alice", "team:t", "everyone")
    }
    assert so_far == {"key:alice": 10_001, "team:t": 10_011, "everyone": 10_111}
    assert books.lives.so_far(Account("key:nobody", "pico", *DAY)) == 0
