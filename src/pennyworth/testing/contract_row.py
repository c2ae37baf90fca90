"""The contracts of ``ControlRow`` and ``KeyBook`` as tests: one versioned value that processes share.

class TestMyControl(ControlContract):
    def make_row(self, folder):
        return MyControl(folder / "control")
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pennyworth.clients import Allowance, Budget, KeySet, VirtualKey
from pennyworth.errors import StoreError
from pennyworth.plan import Switch
from pennyworth.view import Control

Value = Any
"""``Control`` or ``KeySet``, whichever the contract is about."""


class RowContract:
    """What every such row does. ``make_row`` is the one method that a backend must give.

    Attributes:
        shares: two of them on one folder are the row as two processes have it.
        blank: a new row. ``full``: one that uses each field, of version 1.
    """

    shares = True
    blank: Value
    full: Value

    def make_row(self, folder: Path) -> Any:
        """An open row. Called again with the same folder it is the row as another process has it, if they share it."""
        raise NotImplementedError

    def break_row(self, folder: Path) -> Any:
        """One whose backend is broken, or ``None`` if this kind cannot break."""
        return None

    @staticmethod
    def touched(row: Value) -> Value:
        """A change that can be counted afterwards, and by ``touches``."""
        raise NotImplementedError

    @staticmethod
    def touches(row: Value) -> int:
        raise NotImplementedError

    def test_a_new_row_says_that_nothing_was_changed(self, tmp_path: Path) -> None:
        row = self.make_row(tmp_path)
        assert row.read() == self.blank
        row.close()

    def test_a_change_returns_the_new_row_one_version_on(self, tmp_path: Path) -> None:
        row = self.make_row(tmp_path)
        changed = row.change(lambda value: replace(self.touched(value), version=77))
        assert changed == replace(self.touched(self.blank), version=1)
        assert row.read() == changed
        assert row.change(self.touched) == replace(self.touched(changed), version=2)
        row.close()

    def test_every_field_comes_back(self, tmp_path: Path) -> None:
        row = self.make_row(tmp_path)
        row.change(lambda value: self.full)
        assert row.read() == self.full
        row.close()

    def test_a_change_that_fails_leaves_the_row_as_it_was(self, tmp_path: Path) -> None:
        row = self.make_row(tmp_path)
        before = row.change(self.touched)

        def fail(value: Value) -> Value:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            row.change(fail)
        assert row.read() == before
        assert row.change(self.touched).version == before.version + 1
        row.close()

    def test_changes_at_the_same_time_are_all_kept(self, tmp_path: Path) -> None:
        row = self.make_row(tmp_path)
        other = self.make_row(tmp_path) if self.shares else row
        with ThreadPoolExecutor(4) as threads:
            changing = [threads.submit(each.change, self.touched) for _ in range(20) for each in (row, other)]
            versions = [task.result().version for task in changing]
        assert sorted(versions) == list(range(1, 41))
        assert row.read() == other.read()
        assert (row.read().version, self.touches(row.read())) == (40, 40)
        row.close()
        other.close()

    def test_another_process_sees_a_change_with_its_next_read(self, tmp_path: Path) -> None:
        if not self.shares:
            pytest.skip("this row is not shared")
        here, there = self.make_row(tmp_path), self.make_row(tmp_path)
        assert there.read() == self.blank
        for _ in range(3):
            assert here.change(self.touched) == there.read()
        assert there.change(self.touched) == here.read()
        here.close()
        there.close()

    def test_the_row_outlives_those_who_read_it(self, tmp_path: Path) -> None:
        if not self.shares:
            pytest.skip("this row is not shared")
        row = self.make_row(tmp_path)
        changed = row.change(self.touched)
        row.close()
        again = self.make_row(tmp_path)
        assert again.read() == changed
        again.close()

    def test_a_broken_backend_raises_a_store_error(self, tmp_path: Path) -> None:
        row = self.break_row(tmp_path)
        if row is None:
            pytest.skip("this row cannot break")
        with pytest.raises(StoreError):
            row.read()
        with pytest.raises(StoreError):
            row.change(self.touched)
        row.close()


class ControlContract(RowContract):
    """For a ``ControlRow``."""

    blank = Control()
    full = Control(
        version=1,
        enabled=False,
        epoch=9,
        purges={"all:": 3, "tag:größe:尺寸": 9},
        older_than_s=1_795_348_800.125,
        switches={"exact": Switch(12.5), "normalised@default": Switch(0.0)},
        revisions={"small": 4},
        fingerprints={"small": "fp_1"},
    )

    @staticmethod
    def touched(row: Control) -> Control:
        return replace(row, epoch=row.epoch + 1)

    @staticmethod
    def touches(row: Control) -> int:
        return row.epoch


class KeyBookContract(RowContract):
    """For a ``KeyBook``."""

    blank = KeySet()
    full = KeySet(
        version=1,
        keys={
            "plain": VirtualKey(name="plain", seal="ab" * 32, hint="wxyz", created_s=1_795_348_800.125, scope="plain"),
            "whole": VirtualKey(
                name="whole",
                seal="cd" * 32,
                hint="zyxw",
                created_s=1.5,
                scope="größe:尺寸",
                team="search",
                share="conversation",
                allowance=Allowance(
                    models=("gpt-*", "qwen*"),
                    budgets=(Budget(period="day", amount="20.5", currency="CNY"),),
                    requests_per_minute=7,
                    tokens_per_minute=9,
                    at_limit="downgrade",
                    downgrade_to="gpt-4o-mini",
                    alert_at=(0.5,),
                    pass_through=False,
                ),
                former_seal="ef" * 32,
                former_until_s=2.5,
                expires_s=3.5,
                revoked_s=4.5,
            ),
        },
    )

    @staticmethod
    def touched(row: KeySet) -> KeySet:
        name = f"key-{len(row.keys)}"
        made = VirtualKey(name=name, seal=name * 8, hint="last", created_s=1.0, scope=name)
        return replace(row, keys=row.keys | {name: made})

    @staticmethod
    def touches(row: KeySet) -> int:
        return len(row.keys)
