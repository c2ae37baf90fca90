"""kill -9 at any moment: what was acknowledged is in the books, once, and what was left open is booked as unknown."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.ledgers.balance import balances
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.segments import segments_in
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money
from pennyworth.testing.contract_ledger import NOON_S, everything, hit, intent, paid


class Children:
    """A process that forks children for us to kill."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("ledger_child.py")
        self._parent = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def killed_after(self, seconds: float, command: str) -> list[str]:
        """Starts a child, kills it so many seconds later, and returns what it had said by then."""
        self._parent.stdin.write(command + "\n")
        self._parent.stdin.flush()
        pid = int(self._parent.stdout.readline().removeprefix("pid "))
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        return list(iter(lambda: self._parent.stdout.readline().strip(), "dead"))

    def close(self) -> None:
        self._parent.communicate(timeout=30)


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children()
    yield children
    children.close()


def assert_books_are_sound(ledger: SqliteLedger) -> None:
    receipts = ledger.receipts(10**9)
    total = everything(ledger)
    assert len({receipt.id for receipt in receipts}) == len(receipts) == total.requests
    assert all(balances(receipt) for receipt in receipts)
    assert balances(total)
    assert total.spent.pico == sum(receipt.spent.pico for receipt in receipts)
    assert total.endings.get("unknown", 0) == sum(receipt.ending == "unknown" for receipt in receipts)


def test_a_hundred_killed_workers_lose_nothing_they_acknowledged(tmp_path: Path, children: Children) -> None:
    chance = random.Random(1)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    troubles: list[str] = []
    folder = JournalFolder(tmp_path / "journal", ledger, interval_s=0.002, on_trouble=troubles.append)
    folder.start()
    acknowledged: set[str] = set()
    for kill in range(100):
        acknowledged.update(children.killed_after(chance.uniform(0, 0.008), f"write {tmp_path}/journal w{kill}"))
        if kill % 7 == 0:
            folder.flush()  # adopts what earlier workers left, while the next ones are starting
    folder.close()

    booked = {receipt.id: receipt for receipt in ledger.receipts(10**9)}
    for line in acknowledged:
        what, record_id = line.split()
        worker, number = record_id.split("-")
        receipt = booked[record_id]
        if what == "receipt":
            assert receipt == paid(record_id, NOON_S + 60 * int(number), pico=2 * int(number))
        elif f"receipt {record_id}" not in acknowledged and int(number) % 3 == 0:
            assert (receipt.ending, receipt.spent, receipt.worker) == ("unknown", Money(int(number)), worker)
    assert len(acknowledged) > 1000
    assert (troubles, segments_in(tmp_path / "journal")) == ([], [])
    assert list((tmp_path / "journal").iterdir()) == []
    assert_books_are_sound(ledger)


def test_killed_folders_count_nothing_twice_and_leave_nothing_out(tmp_path: Path, children: Children) -> None:
    chance = random.Random(2)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite", busy_s=30)
    rounds = booked = in_the_middle = 0
    patience_s = 0.04
    while in_the_middle < 20:
        append_a_round(tmp_path / "journal", rounds)
        said = children.killed_after(chance.uniform(0, patience_s), f"fold {tmp_path}/journal {tmp_path}/ledger.sqlite")
        before, booked = booked, everything(ledger).requests
        assert said in (["folded"], [])
        in_the_middle += said == [] and booked > before
        patience_s *= 0.9 if said else 1.1  # as quick or slow as the machine is, most kills fall in the middle
        rounds += 1
        assert rounds < 500

    JournalFolder(tmp_path / "journal", ledger, on_trouble=pytest.fail).flush()
    total = everything(ledger)
    assert total.endings == {"complete": rounds * 150, "unknown": rounds * 25}
    assert total.spent == Money(rounds * (75 * 10 + 25 * 5))
    assert total.saved == {"exact": Money(rounds * 75 * 20)}
    assert list((tmp_path / "journal").iterdir()) == []
    assert list(ledger.open_intents()) == []
    assert_books_are_sound(ledger)


def append_a_round(folder: Path, number: int) -> None:
    journal = FileJournal(folder, f"w{number}", rotate_bytes=20_000)
    for i in range(100):
        journal.append(intent(f"{number}-{i}", NOON_S + 60 * i, pico=5))
        if i % 4:
            journal.append(paid(f"{number}-{i}", NOON_S + 60 * i, pico=10))
            journal.append(hit(f"{number}-{i}-hit", NOON_S + 60 * i, pico=20))
    journal.close()
