"""The SQLite ledger's own matters: schemas, broken files, several processes, and folding segments exactly once."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_disk import room_for

from pennyworth.errors import ConfigError, StoreError
from pennyworth.ledgers.lines import Booked, Record, to_line
from pennyworth.ledgers.segment_book import OpenIntent, Progress, Stretch
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money
from pennyworth.testing.contract_ledger import NOON_S, everything, hit, intent, paid


def lines(*records: Record) -> list[Booked]:
    return [Booked(record, to_line(record)) for record in records]


def test_a_ledger_is_still_there_after_it_was_closed(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.fold([paid("r1")])
    ledger.close()
    again = SqliteLedger(tmp_path / "ledger.sqlite")
    assert again.receipt("r1") == paid("r1")
    assert everything(again).spent == paid("r1").spent


def test_a_closed_ledger_refuses_and_may_be_closed_again(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.close()
    ledger.close()
    with pytest.raises(StoreError):
        ledger.fold([paid("r1")])
    with pytest.raises(StoreError):
        everything(ledger)


def test_a_schema_of_a_newer_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    SqliteLedger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(ConfigError, match=r"schema 7.*up to 2") as refused:
        SqliteLedger(path)
    assert refused.value.key == "state_dir"


def test_a_ledger_of_schema_1_keeps_its_books_and_learns_of_clients_and_teams(tmp_path: Path) -> None:
    """The file was written by the code of schema 1."""
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / "data" / "schema_1.sql").read_text())
    connection.close()
    ledger = SqliteLedger(path)
    assert {key: total.requests for key, total in ledger.totals(0, float("inf"), "model").items()} == {
        "small": 2,
        "large": 1,
    }
    assert everything(ledger).saved == {"exact": Money(1_000_000_000_001)}
    assert [receipt.id for receipt in ledger.receipts(10, where={"scope": "team-b"})] == ["r2"]
    assert [one.intent.id for one in ledger.open_intents()] == ["r4"]
    assert ledger.progress("w0-1-000000.jsonl").offset == 900
    ledger.fold([paid("r5", client="bob", team="b"), paid("r6")])
    assert {key: total.requests for key, total in ledger.totals(0, float("inf"), "client").items()} == {"": 4, "bob": 1}
    ledger.close()
    assert everything(SqliteLedger(path)).requests == 5


def test_a_file_that_is_no_database_is_a_store_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"receipts, in a format of my own" * 100)
    with pytest.raises(StoreError, match=r"ledger\.sqlite"):
        SqliteLedger(path)


def test_a_damaged_body_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.fold([paid("r1")])
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE receipts SET body = ?", (to_line(intent("r1")),))
    connection.close()
    with pytest.raises(StoreError, match="r1"):
        ledger.receipt("r1")


def test_a_ledger_locked_by_somebody_is_a_store_error_for_writers_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path, busy_s=0.05)
    ledger.fold([paid("r1")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        ledger.fold([paid("r2")])
    assert everything(ledger).requests == 1
    other.execute("ROLLBACK")
    assert ledger.fold([paid("r2")]) == 1


def test_a_full_disk_leaves_the_books_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.fold([paid("r1")])
    wal_bytes = (tmp_path / "ledger.sqlite-wal").stat().st_size
    many = [paid(f"many{i}", notes=("x" * 500,)) for i in range(300)]
    with room_for(wal_bytes + 10_000), pytest.raises(StoreError):
        ledger.fold(many)
    assert everything(ledger).requests == 1
    assert ledger.fold(many) == 300
    assert everything(ledger).requests == 301


def test_a_record_no_ledger_can_sum_is_refused_and_nothing_beside_it_is_booked(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    with pytest.raises(StoreError, match="r2"):
        ledger.fold([paid("r1"), paid("r2", spent=Money(10**40))])
    assert everything(ledger).requests == 0


def test_text_that_utf8_cannot_express_is_booked_with_question_marks(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.fold([paid("r1", model="\ud800")])
    assert list(ledger.totals(0, float("inf"), "model")) == ["?"]


def test_reading_shows_the_state_before_or_after_a_fold_not_between(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.fold([paid("r1")])

    def records_that_read_meanwhile():
        yield paid("r2")
        assert everything(ledger).requests == 1
        yield hit("r3")

    ledger.fold(records_that_read_meanwhile())
    assert everything(ledger).requests == 3


def test_a_stretch_counts_once_and_only_from_where_the_last_one_ended(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    first = Stretch("w0-1-000000.jsonl", "w0-1", 0, 100, lines(intent("r1"), paid("r2")), 1)
    assert ledger.fold_stretch(first)
    assert not ledger.fold_stretch(first)
    assert not ledger.fold_stretch(first._replace(start=50, end=150, booked=lines(paid("r3"))))
    assert ledger.progress(first.segment) == Progress(100, 1)
    assert ledger.fold_stretch(first._replace(start=100, end=200, booked=lines(paid("r3"))))
    assert ledger.progress(first.segment) == Progress(200, 2)
    assert everything(ledger).requests == 2
    ledger.forget(first.segment)
    assert ledger.progress(first.segment) == Progress(0, 0)


def test_of_thousands_folded_at_once_those_that_were_known_or_come_twice_count_once(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    records = [paid(f"r{i}", NOON_S + i, pico=2 ** i.bit_length(), scope=f"s{i % 7}") for i in range(3000)]
    ledger.fold(records[::3])
    again = lines(*records, *records[100:200], intent("r5"), intent("open"), *(intent(f"i{i}") for i in range(2000)))
    assert ledger.fold_stretch(Stretch("w0-1-000000.jsonl", "w0-1", 0, 100, again, 0))
    assert everything(ledger).requests == 3000
    assert everything(ledger).spent.pico == sum(record.spent.pico for record in records)
    assert len(ledger.open_intents()) == 2001
    assert ledger.fold([paid(f"i{i}") for i in range(2000)]) == 2000
    assert ledger.open_intents() == [OpenIntent("w0-1", intent("open"))]


def test_ids_of_any_text_are_booked_once_and_settle_their_intents(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ids = ["nul\0", "nul\0more", '"quoted"\\', "中文 đ é", "\u2028", "", "line\nbreak"]
    odd = lines(*map(intent, ids))
    assert ledger.fold_stretch(Stretch("w0-1-000000.jsonl", "w0-1", 0, 100, odd, 0))
    ledger.fold(map(paid, ids[:4]))
    assert ledger.fold(map(paid, ids)) == 3
    assert ledger.fold(map(paid, ids)) == 0
    assert {receipt.id for receipt in ledger.receipts(100)} == set(ids)
    assert list(ledger.open_intents()) == []


def test_a_facet_whose_first_receipt_could_not_be_booked_is_booked_with_the_next(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.fold([paid("r1")])
    wal_bytes = (tmp_path / "ledger.sqlite-wal").stat().st_size
    new = paid("r2", scope="team-new", notes=("x" * 50_000,))
    with room_for(wal_bytes + 10_000), pytest.raises(StoreError):
        ledger.fold([new])
    ledger.fold([paid("r3", scope="team-other")])
    ledger.fold([new])
    by_scope = {scope: total.requests for scope, total in ledger.totals(0, float("inf"), "scope").items()}
    assert by_scope == {"team-a": 1, "team-new": 1, "team-other": 1}


@pytest.mark.parametrize("order", [(3, 9), (9, 3)])
def test_of_a_requests_intents_the_largest_estimate_stands_in_whatever_order_they_come(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    for at, pico in enumerate(order):
        written = intent("r1", pico=pico)
        stretch = Stretch("w0-1-000000.jsonl", "w0-1", at, at + 1, [Booked(written, to_line(written))], 0)
        assert ledger.fold_stretch(stretch)
    assert [(one.owner, one.intent.estimate.pico) for one in ledger.open_intents()] == [("w0-1", 9)]
    ledger.close()


def test_open_intents_are_those_of_segments_whose_receipt_has_not_come(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.fold([intent("nobody's"), intent("seen twice")])
    records = lines(intent("r1"), intent("r2"), paid("r2"), intent("r3"), intent("seen twice"))
    ledger.fold_stretch(Stretch("w0-1-000000.jsonl", "w0-1", 0, 100, records, 0))
    ledger.fold([paid("r3")])
    assert set(ledger.open_intents()) == {OpenIntent("w0-1", intent("r1")), OpenIntent("w0-1", intent("seen twice"))}


FOLD_FILE = """
import sys
from pennyworth.ledgers.journal import read_records
from pennyworth.ledgers.sqlite import SqliteLedger
records = read_records(sys.argv[1], 0).records
step = int(sys.argv[3])
ledger = SqliteLedger(sys.argv[2], busy_s=30)
print(sum(ledger.fold(records[i : i + step]) for i in range(0, len(records), step)))
"""


def test_several_processes_folding_the_same_records_into_a_new_ledger_count_each_once(tmp_path: Path) -> None:
    written = [r for i in range(400) for r in (paid(f"p{i}", NOON_S + i), hit(f"h{i}", NOON_S + 20 * i))]
    (tmp_path / "records").write_bytes(b"".join(to_line(record) + b"\n" for record in written))
    command = [sys.executable, "-c", FOLD_FILE, str(tmp_path / "records"), str(tmp_path / "ledger.sqlite")]
    processes = [
        subprocess.Popen([*command, str(step)], stdout=subprocess.PIPE, text=True) for step in (13, 29, 50, 13)
    ]
    counted = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sum(counted) == len(written)
    total = everything(SqliteLedger(tmp_path / "ledger.sqlite"))
    assert total.requests == len(written)
    assert total.spent.pico == 400 * 1_000_000_000_001
