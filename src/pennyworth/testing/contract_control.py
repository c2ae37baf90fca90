"""The contract of ``ControlRow`` as tests.

class TestMyControl(ControlContract):
    def make_control(self, folder):
        return MyControl(folder / "control")
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pennyworth.errors import StoreError
from pennyworth.plan import Switch
from pennyworth.ports import ControlRow
from pennyworth.view import Control


def _purged(row: Control) -> Control:
    return msgspec.structs.replace(row, epoch=row.epoch + 1)


class ControlContract:
    """What every ``ControlRow`` does. ``make_control`` is the one method a backend must give."""

    def make_control(self, folder: Path) -> ControlRow:
        """An open control row. Called again with the same folder it is the row as another process has it, if the
        backend shares it (``shares``)."""
        raise NotImplementedError

    shares = True

    def break_control(self, folder: Path) -> ControlRow | None:
        """One whose backend is broken, or ``None`` if this kind cannot break."""
        return None

    def test_a_new_row_says_that_nothing_was_changed(self, tmp_path: Path) -> None:
        control = self.make_control(tmp_path)
        assert control.read() == Control()
        control.close()

    def test_a_change_returns_the_new_row_one_version_on(self, tmp_path: Path) -> None:
        control = self.make_control(tmp_path)
        changed = control.change(lambda row: msgspec.structs.replace(row, enabled=False, version=77))
        assert changed == Control(version=1, enabled=False)
        assert control.read() == changed
        assert control.change(_purged) == Control(version=2, enabled=False, epoch=1)
        control.close()

    def test_every_field_comes_back(self, tmp_path: Path) -> None:
        control = self.make_control(tmp_path)
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
        control.change(lambda row: full)
        assert control.read() == full
        control.close()

    def test_a_change_that_fails_leaves_the_row_as_it_was(self, tmp_path: Path) -> None:
        control = self.make_control(tmp_path)
        before = control.change(_purged)

        def fail(row: Control) -> Control:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            control.change(fail)
        assert control.read() == before
        assert control.change(_purged).version == before.version + 1
        control.close()

    def test_changes_at_the_same_time_are_all_kept(self, tmp_path: Path) -> None:
        control = self.make_control(tmp_path)
        other = self.make_control(tmp_path) if self.shares else control
        with ThreadPoolExecutor(4) as threads:
            changing = [threads.submit(row.change, _purged) for _ in range(20) for row in (control, other)]
            versions = [task.result().version for task in changing]
        assert sorted(versions) == list(range(1, 41))
        assert control.read() == other.read() == Control(version=40, epoch=40)
        control.close()
        other.close()

    def test_another_process_sees_a_change_with_its_next_read(self, tmp_path: Path) -> None:
        if not self.shares:
            pytest.skip("this row is not shared")
        here, there = self.make_control(tmp_path), self.make_control(tmp_path)
        assert there.read() == Control()
        for _ in range(3):
            assert here.change(_purged) == there.read()
        assert there.change(_purged) == here.read()
        here.close()
        there.close()

    def test_the_row_outlives_those_who_read_it(self, tmp_path: Path) -> None:
        if not self.shares:
            pytest.skip("this row is not shared")
        control = self.make_control(tmp_path)
        changed = control.change(_purged)
        control.close()
        again = self.make_control(tmp_path)
        assert again.read() == changed
        again.close()

    def test_a_broken_backend_raises_a_store_error(self, tmp_path: Path) -> None:
        control = self.break_control(tmp_path)
        if control is None:
            pytest.skip("this row cannot break")
        with pytest.raises(StoreError):
            control.read()
        with pytest.raises(StoreError):
            control.change(_purged)
        control.close()
