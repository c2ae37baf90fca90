"""Every quota store we ship, held to its contract; and what is SQLite's own."""

import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pennyworth.errors import ConfigError, StoreError
from pennyworth.ports import Account, Bill, Standing
from pennyworth.quotas.memory import MemoryQuotas, Pool
from pennyworth.quotas.sqlite import SqliteQuotas
from pennyworth.testing.contract_quotas import CEILING, DAY, Books, QuotasContract, machine_of

POOLS: dict[Path, Pool] = {}


def in_memory(folder: Path, life: str, lives: Books) -> MemoryQuotas:
    return MemoryQuotas(life, POOLS.setdefault(folder, Pool()), lives)


def in_a_file(folder: Path, life: str, lives: Books) -> SqliteQuotas:
    return SqliteQuotas(folder / "quotas.db", life, lives)


class TestMemoryQuotas(QuotasContract):
    def make_quotas(self, folder: Path, life: str, lives: Books) -> MemoryQuotas:
        return in_memory(folder, life, lives)


class TestSqliteQuotas(QuotasContract):
    def make_quotas(self, folder: Path, life: str, lives: Books) -> SqliteQuotas:
        return in_a_file(folder, life, lives)

    def break_quotas(self, folder: Path) -> SqliteQuotas:
        quotas = in_a_file(folder, "a", Books())
        with sqlite3.connect(folder / "quotas.db") as db:
            db.execute("DROP TABLE accounts")
        db.close()
        return quotas


TestMemoryWorkers = machine_of(in_memory).TestCase
TestMemoryWorkers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSqliteWorkers = machine_of(in_a_file).TestCase
TestSqliteWorkers.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_accounts_outlive_those_who_use_them(tmp_path: Path) -> None:
    first = in_a_file(tmp_path, "a", Books())
    first.lease(DAY, CEILING, 100, 100)
    first.settle([Bill(DAY, used=70, back=30)])
    first.close()
    again = in_a_file(tmp_path, "b", Books())
    assert again.standing(DAY) == Standing(70, 0)
    again.close()


def test_windows_long_over_are_swept_away_and_others_stay(tmp_path: Path) -> None:
    quotas = in_a_file(tmp_path, "a", Books())
    old = Account("key:alice", "requests", DAY.since_s - 7200, DAY.since_s - 7140)
    held = Account("key:bob", "requests", DAY.since_s - 7200, DAY.since_s - 7140)
    past = Account("key:alice", "pico", DAY.since_s - 86_400, DAY.since_s)
    for account in (old, held, past, DAY):
        quotas.lease(account, CEILING, 10, 10)
    quotas.settle([Bill(old, 10), Bill(past, 10), Bill(DAY, 10)])
    quotas.recover()
    stand = [quotas.standing(account) for account in (old, held, past, DAY)]
    assert stand == [Standing(0, 0), Standing(0, 10), Standing(10, 0), Standing(10, 0)]
    quotas.close()


def test_a_locked_file_is_an_error_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    quotas = in_a_file(tmp_path, "a", Books())
    other = sqlite3.connect(tmp_path / "quotas.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.process_time()
    with pytest.raises(StoreError, match=r"quotas\.db"):
        quotas.lease(DAY, CEILING, 10, 10)
    assert time.process_time() - began < 0.1
    other.execute("ROLLBACK")
    assert quotas.lease(DAY, CEILING, 10, 10) == 10
    other.close()
    quotas.close()


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    in_a_file(tmp_path, "a", Books()).close()
    assert (tmp_path / "quotas.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 9", "CREATE TABLE theirs (x)"])
def test_a_file_from_the_future_or_of_another_program_is_refused(tmp_path: Path, statement: str) -> None:
    with sqlite3.connect(tmp_path / "quotas.db") as db:
        db.execute(statement)
    db.close()
    with pytest.raises(ConfigError, match="state_dir"):
        in_a_file(tmp_path, "a", Books())
