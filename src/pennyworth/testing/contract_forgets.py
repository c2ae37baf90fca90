"""The contract of ``Forgets`` as tests. A place's own test file subclasses it and says how to make and fill one.

class TestMyPlace(ForgetsContract):
    def make_place(self, folder):
        return MyPlace(folder)

    def fill(self, folder):
        ...records of ALICE (an end user), of the key SHOP and of the scope TEAM, RECORDS of each; and OTHERS
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pennyworth.ports import Forgets
from pennyworth.whom import Whom

ALICE, SHOP, TEAM = "a11ce0a11ce0a11c", "canary-shop-51d0", "canary-team-77aa"
RECORDS = 3
"""So many of each. They overlap in nothing: Alice used another key and scope."""

WHO = [Whom(by="user", value=ALICE), Whom(by="client", value=SHOP), Whom(by="scope", value=TEAM)]
NOBODY = [Whom(by="user", value="0" * 16), Whom(by="client", value="sho"), Whom(by="scope", value="")]


class ForgetsContract:
    """What every place does. ``make_place`` and ``fill`` are what a backend must give."""

    def make_place(self, folder: Path) -> Forgets:
        raise NotImplementedError

    def fill(self, folder: Path) -> None:
        raise NotImplementedError

    def everything(self, folder: Path) -> bytes:
        """All bytes that the place holds: those of its files."""
        return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())

    @pytest.mark.parametrize("whom", WHO, ids=lambda whom: whom.by)
    def test_they_are_counted_then_gone_then_nothing_is_left_to_forget(self, tmp_path: Path, whom: Whom) -> None:
        self.fill(tmp_path)
        place = self.make_place(tmp_path)
        assert place.count(whom) == RECORDS
        assert place.count(whom) == RECORDS, "counting changed something"
        assert place.forget(whom) == RECORDS
        assert (place.count(whom), place.forget(whom)) == (0, 0)

    @pytest.mark.parametrize("whom", WHO, ids=lambda whom: whom.by)
    def test_their_bytes_are_gone_and_those_of_others_are_not(self, tmp_path: Path, whom: Whom) -> None:
        self.fill(tmp_path)
        place = self.make_place(tmp_path)
        before = self.everything(tmp_path)
        assert all(name.encode() in before for name in (ALICE, SHOP, TEAM))
        place.forget(whom)
        after = self.everything(tmp_path)
        assert whom.value.encode() not in after
        assert all(each.value.encode() in after for each in WHO if each != whom)

    def test_nobody_is_forgotten_for_a_likeness(self, tmp_path: Path) -> None:
        self.fill(tmp_path)
        place = self.make_place(tmp_path)
        assert [place.forget(whom) for whom in NOBODY] == [0, 0, 0]
        assert [place.count(whom) for whom in WHO] == [RECORDS] * 3

    def test_an_empty_place_holds_nothing_of_anybody(self, tmp_path: Path) -> None:
        place = self.make_place(tmp_path)
        assert [place.count(whom) for whom in WHO] == [place.forget(whom) for whom in WHO] == [0, 0, 0]
