import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pennyworth.errors import ConfigError, StoreError
from pennyworth.stores.control import MemoryControl, SqliteControl
from pennyworth.stores.keybook import MemoryKeyBook, SqliteKeyBook
from pennyworth.testing.contract_row import ControlContract, KeyBookContract
from pennyworth.view import Control


class TestMemoryControl(ControlContract):
    shares = False

    def make_row(self, folder: Path) -> MemoryControl:
        return MemoryControl()


class TestSqliteControl(ControlContract):
    def make_row(self, folder: Path) -> SqliteControl:
        return SqliteControl(folder / "control.db")

    def break_row(self, folder: Path) -> SqliteControl:
        control = self.make_row(folder)
        control.change(switch_off)
        tamper(folder / "control.db", "UPDATE control SET row = zeroblob(20)")
        return control


class TestMemoryKeyBook(KeyBookContract):
    shares = False

    def make_row(self, folder: Path) -> MemoryKeyBook:
        return MemoryKeyBook()


class TestSqliteKeyBook(KeyBookContract):
    def make_row(self, folder: Path) -> SqliteKeyBook:
        return SqliteKeyBook(folder / "keys.db")

    def break_row(self, folder: Path) -> SqliteKeyBook:
        book = self.make_row(folder)
        book.change(self.touched)
        tamper(folder / "keys.db", "UPDATE keys SET row = zeroblob(20)")
        return book


def switch_off(row: Control) -> Control:
    return msgspec.structs.replace(row, enabled=False, epoch=row.epoch + 1, purges={"all:": row.epoch + 1})


def tamper(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()


def test_the_first_row_is_that_of_a_new_file_only(tmp_path):
    for first in (Control(enabled=False), Control()):
        control = SqliteControl(tmp_path / "control.db", first)
        assert control.read() == Control(enabled=False)
        control.close()


def test_a_change_of_another_process_is_seen_by_the_next_read(tmp_path):
    control = SqliteControl(tmp_path / "control.db")
    script = (
        "import sys, msgspec, pathlib\n"
        "from pennyworth.stores.control import SqliteControl\n"
        "control = SqliteControl(pathlib.Path(sys.argv[1]))\n"
        "control.change(lambda row: msgspec.structs.replace(row, epoch=row.epoch + 1))\n"
    )
    for epoch in (1, 2):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / "control.db")], check=True)
        assert control.read() == Control(version=epoch, epoch=epoch)
    control.close()


def test_random_bits_flip_and_the_row_is_the_right_one_or_an_error_that_says_how_to_mend_it(tmp_path):
    control = SqliteControl(tmp_path / "sound.db")
    row = control.change(switch_off)
    control.close()
    sound, chance = (tmp_path / "sound.db").read_bytes(), random.Random(3)
    path, refused = tmp_path / "control.db", []
    for _ in range(300):
        flipped = bytearray(sound)
        for _ in range(3):
            # the row lies at the end of its page: a flip elsewhere rarely meets anything
            flipped[chance.choice([chance.randrange(len(sound)), chance.randrange(8192 - 200, 8192)])] ^= 1
        path.write_bytes(flipped)
        try:
            control = SqliteControl(path)
            assert control.read() == row
            control.close()
        except ConfigError:  # the bits that say which program or version wrote it
            continue
        except StoreError as error:
            refused.append(f"{error}")
        for left in tmp_path.glob("control.db*"):
            left.unlink()
    assert 50 < len(refused) < 300
    assert [told for told in refused if "Stop all workers, move the file away" not in told] == []


def test_a_damaged_row_is_not_written_over(tmp_path):
    control = SqliteControl(tmp_path / "control.db")
    control.change(switch_off)
    control.close()
    tamper(tmp_path / "control.db", "UPDATE control SET digest = zeroblob(32)")
    again = SqliteControl(tmp_path / "control.db")
    for asking in (again.read, lambda: again.change(switch_off)):
        with pytest.raises(StoreError, match="control row is damaged"):
            asking()
    again.close()


def test_a_table_without_its_row_is_damaged_not_new(tmp_path):
    SqliteControl(tmp_path / "control.db").close()
    tamper(tmp_path / "control.db", "DELETE FROM control")
    control = SqliteControl(tmp_path / "control.db")
    with pytest.raises(StoreError, match="control row is damaged"):
        control.read()
    control.close()


def test_a_newer_schema_is_refused_with_the_reason_and_the_fix(tmp_path):
    SqliteControl(tmp_path / "control.db").close()
    tamper(tmp_path / "control.db", "PRAGMA user_version = 9")
    with pytest.raises(ConfigError, match="schema 9 of the control row, this Pennyworth knows up to 1"):
        SqliteControl(tmp_path / "control.db")


def test_a_change_that_cannot_get_the_lock_gives_up_and_the_row_can_still_be_read(tmp_path):
    control = SqliteControl(tmp_path / "control.db")
    holder = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another process"):
        control.change(switch_off)
    assert control.read() == Control()
    holder.execute("COMMIT")
    holder.close()
    assert control.change(switch_off) == control.read()
    control.close()


def test_a_damaged_key_book_says_what_to_do_and_lets_nobody_in_by_starting_anew(tmp_path):
    SqliteKeyBook(tmp_path / "keys.db").close()
    tamper(tmp_path / "keys.db", "DELETE FROM keys")
    book = SqliteKeyBook(tmp_path / "keys.db")
    with pytest.raises(StoreError, match=r"key book is damaged. Stop all workers, .* make new keys"):
        book.read()
    book.close()


def test_a_control_row_is_not_taken_for_a_key_book(tmp_path):
    SqliteControl(tmp_path / "control.db").close()
    with pytest.raises(ConfigError, match="a database of another program"):
        SqliteKeyBook(tmp_path / "control.db")
