"""The contract of ``Quotas`` and ``Notices`` as tests: rows, and a machine of workers that lease, spend and die.

class TestMyQuotas(QuotasContract):
    def make_quotas(self, folder, life, lives):
        return MyQuotas(folder / "quotas", life, lives)

TestMyWorkers = machine_of(lambda folder, life, lives: MyQuotas(folder / "quotas", life, lives)).TestCase
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pennyworth.errors import StoreError
from pennyworth.ports import Account, Bill, Notices, Quotas, Standing

DAY = Account("key:alice", "pico", 1_795_305_600.0, 1_795_392_000.0)
MINUTE = Account("key:alice", "requests", 1_795_348_800.0, 1_795_348_860.0)
CEILING = 1000
LATER_S = DAY.until_s - 1
"""After everything that is booked here."""


class Books:
    """What workers spent by their receipts, for backends that close dead workers' leases by the books."""

    def __init__(self) -> None:
        self.spent_by: dict[tuple[str, Account], int] = {}
        self.spent_before: dict[Account, int] = {}
        self.dead: set[str] = set()
        self.asked_since_s = 0.0

    def closed(self, life: str) -> bool:
        return life in self.dead

    def spent(self, life: str, account: Account, since_s: float) -> int:
        self.asked_since_s = since_s
        return self.spent_by.get((life, account), 0) if since_s < LATER_S else 0

    def so_far(self, account: Account) -> int:
        return self.spent_before.get(account, 0)

    def book(self, life: str, account: Account, amount: int) -> None:
        self.spent_by[life, account] = self.spent(life, account, 0.0) + amount


class Backend(Quotas, Notices, Protocol):
    """Both ports; every backend we ship is both."""


Make = Callable[[Path, str, Books], Backend]


class QuotasContract:
    """What every ``Quotas`` does."""

    def make_quotas(self, folder: Path, life: str, lives: Books) -> Backend:
        """The accounts in a folder as this life of a worker sees them; called again, as another does."""
        raise NotImplementedError

    def break_quotas(self, folder: Path) -> Quotas | None:
        """One whose backend is broken, or ``None`` if this kind cannot break."""
        return None

    @pytest.fixture
    def quotas(self, tmp_path: Path) -> Backend:
        return self.make_quotas(tmp_path, "a", Books())

    def test_an_account_starts_from_nothing(self, quotas: Backend) -> None:
        assert quotas.standing(DAY) == Standing()
        assert quotas.settle([]) == []
        assert quotas.recover() == 0

    def test_a_lease_is_part_of_what_is_left_and_at_least_what_is_needed(self, quotas: Backend) -> None:
        assert 1 <= quotas.lease(DAY, CEILING, CEILING, 1) < CEILING
        left = CEILING - quotas.standing(DAY).leased
        assert quotas.lease(DAY, CEILING, left, left) == left
        assert quotas.lease(DAY, CEILING, 1, 1) == 0
        assert quotas.standing(DAY) == Standing(0, CEILING)

    def test_what_is_less_than_needed_is_not_granted(self, quotas: Backend) -> None:
        assert quotas.lease(DAY, CEILING, CEILING, CEILING + 1) == 0
        assert quotas.standing(DAY) == Standing()

    def test_windows_units_and_subjects_are_accounts_of_their_own(self, quotas: Backend) -> None:
        others = [
            Account("key:bob", "pico", DAY.since_s, DAY.until_s),
            Account(DAY.subject, "tokens", DAY.since_s, DAY.until_s),
            Account(DAY.subject, "pico", DAY.until_s, DAY.until_s + 86_400),
            Account(DAY.subject, "pico", DAY.since_s, DAY.until_s + 86_400),
        ]
        quotas.lease(DAY, CEILING, CEILING, CEILING)
        for other in others:
            assert quotas.standing(other) == Standing()
            assert quotas.lease(other, CEILING, CEILING, CEILING) == CEILING

    def test_bills_move_use_out_of_the_lease_and_give_back_the_rest(self, quotas: Backend) -> None:
        quotas.lease(DAY, CEILING, 100, 100)
        quotas.lease(MINUTE, 10, 5, 5)
        stand = quotas.settle([Bill(DAY, used=40, back=10), Bill(MINUTE, used=2)])
        assert list(stand) == [Standing(40, 50), Standing(2, 3)]
        assert quotas.standing(DAY) == Standing(40, 50)
        assert list(quotas.settle([Bill(DAY, back=50)])) == [Standing(40, 0)]

    def test_use_beyond_the_lease_is_settled_too_and_what_is_still_held_stays(self, quotas: Backend) -> None:
        quotas.lease(DAY, CEILING, 50, 50)
        assert list(quotas.settle([Bill(DAY, used=60, back=-35)])) == [Standing(60, 25)]
        assert list(quotas.settle([Bill(DAY, used=2000)])) == [Standing(2060, 0)]
        assert quotas.lease(DAY, CEILING, 1, 1) == 0

    def test_absurd_amounts_do_not_overflow(self, quotas: Backend) -> None:
        for _ in range(3):
            (stand,) = quotas.settle([Bill(DAY, used=2**70)])
        assert stand.used >= 2**62

    def test_a_dead_life_is_settled_by_the_books_once(self, tmp_path: Path) -> None:
        books = Books()
        dead, alive = self.make_quotas(tmp_path, "a", books), self.make_quotas(tmp_path, "b", books)
        dead.lease(DAY, CEILING, 500, 500)
        dead.lease(MINUTE, 10, 5, 5)
        dead.settle([Bill(DAY, used=100)])
        books.book("a", DAY, 170)
        assert alive.recover() == 0
        assert alive.standing(DAY) == Standing(100, 400)
        books.dead.add("a")
        assert alive.recover() == 1
        assert alive.standing(DAY) == Standing(170, 0)
        assert alive.standing(MINUTE) == Standing(5, 0)
        assert alive.recover() == 0
        assert alive.standing(DAY) == Standing(170, 0)
        dead.close()
        alive.close()

    def test_what_a_life_spent_before_it_counted_is_not_settled_at_its_end(self, tmp_path: Path) -> None:
        books = Books()
        dead, alive = self.make_quotas(tmp_path, "a", books), self.make_quotas(tmp_path, "b", books)
        books.book("a", DAY, 170)
        began_s = LATER_S + 0.1234567
        dead.lease(DAY, CEILING, 500, 500, began_s)
        dead.lease(DAY, CEILING, 1, 1, 0.0)
        books.dead.add("a")
        assert alive.recover() == 1
        assert books.asked_since_s == began_s  # to the last bit: its first request began at this very moment
        assert alive.standing(DAY) == Standing(0, 0)
        dead.close()
        alive.close()

    def test_an_account_opened_late_finds_used_what_the_books_say(self, tmp_path: Path) -> None:
        books = Books()
        books.spent_before = {DAY: 900, MINUTE: 900}
        quotas = self.make_quotas(tmp_path, "a", books)
        assert quotas.lease(DAY, CEILING, 101, 101) == 0
        assert quotas.lease(DAY, CEILING, 60, 60) == 60
        books.spent_before[DAY] = 5000
        assert quotas.lease(DAY, CEILING, 40, 40) == 40
        assert quotas.standing(DAY) == Standing(900, 100)
        assert quotas.lease(MINUTE, 10, 10, 10) == 10
        quotas.close()

    def test_leases_taken_at_the_same_time_never_exceed_the_ceiling(self, tmp_path: Path) -> None:
        lives = [self.make_quotas(tmp_path, life, Books()) for life in "abcd"]
        granted: list[int] = []

        def take(quotas: Quotas) -> None:
            while amount := _patiently(lambda: quotas.lease(DAY, CEILING, 40, 7)):
                granted.append(amount)

        threads = [threading.Thread(target=take, args=(quotas,)) for quotas in lives]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert CEILING - 7 < sum(granted) <= CEILING
        assert lives[0].standing(DAY) == Standing(0, sum(granted))
        for quotas in lives:
            quotas.close()

    def test_people_are_told_once_a_period(self, tmp_path: Path) -> None:
        one, other = self.make_quotas(tmp_path, "a", Books()), self.make_quotas(tmp_path, "b", Books())
        assert one.first("alice at 80 %", DAY.until_s)
        assert not other.first("alice at 80 %", DAY.until_s)
        assert not one.first("alice at 80 %", DAY.until_s)
        assert other.first("alice at 100 %", DAY.until_s)
        assert other.first("alice at 80 %", DAY.until_s + 86_400)
        one.close()
        other.close()

    def test_a_broken_backend_raises_a_store_error(self, tmp_path: Path) -> None:
        quotas = self.break_quotas(tmp_path)
        if quotas is None:
            pytest.skip("this kind cannot break")
        with pytest.raises(StoreError):
            quotas.lease(DAY, CEILING, 1, 1)
        with pytest.raises(StoreError):
            quotas.settle([Bill(DAY, used=1)])
        with pytest.raises(StoreError):
            quotas.recover()


def _patiently(lease: Callable[[], int]) -> int:
    """The backend may say at times that somebody else is writing."""
    for _ in range(1000):
        try:
            return lease()
        except StoreError:
            continue
    raise AssertionError("nobody ever gets to write")


def machine_of(make: Make) -> type[RuleBasedStateMachine]:
    """Workers that lease, spend within their leases, report late, and die with part of it unreported."""

    class Workers(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = Path(tempfile.mkdtemp())
            self.books = Books()
            self.born = 0
            self.living: dict[str, Backend] = {}
            self.held: dict[str, int] = {}
            self.unreported: dict[str, int] = {}
            self.spent = 0
            for _ in range(3):
                self.is_born()

        def is_born(self) -> None:
            life = f"w{self.born}"
            self.born += 1
            self.living[life] = make(self.folder, life, self.books)
            self.held[life] = self.unreported[life] = 0

        @rule(who=st.integers(0, 9), want=st.integers(0, 400), least=st.integers(1, 400))
        def lease(self, who: int, want: int, least: int) -> None:
            life = self.pick(who)
            granted = self.living[life].lease(DAY, CEILING, want, least)
            assert granted == 0 or granted >= least
            self.held[life] += granted

        @rule(who=st.integers(0, 9), part=st.floats(0, 1))
        def spend(self, who: int, part: float) -> None:
            life = self.pick(who)
            amount = int(self.held[life] * part)
            self.held[life] -= amount
            self.unreported[life] += amount
            self.books.book(life, DAY, amount)
            self.spent += amount

        @rule(who=st.integers(0, 9), part=st.floats(0, 1))
        def report(self, who: int, part: float) -> None:
            life = self.pick(who)
            back = int(self.held[life] * part)
            self.living[life].settle([Bill(DAY, self.unreported[life], back)])
            self.unreported[life] = 0
            self.held[life] -= back

        @rule(who=st.integers(0, 9))
        def die(self, who: int) -> None:
            life = self.pick(who)
            self.living.pop(life).close()
            self.books.dead.add(life)
            self.is_born()

        @rule(who=st.integers(0, 9))
        def recover(self, who: int) -> None:
            self.living[self.pick(who)].recover()

        @precondition(lambda self: self.living)
        @invariant()
        def never_over_the_ceiling(self) -> None:
            stand = self.look()
            assert stand.used >= 0
            assert stand.leased >= 0
            assert stand.used + stand.leased <= CEILING
            assert self.spent <= CEILING

        def teardown(self) -> None:
            """When all have reported and the dead are buried, nothing is leased, and the accounts are the books."""
            for life, quotas in self.living.items():
                quotas.settle([Bill(DAY, self.unreported[life], self.held[life])])
            self.living[self.pick(0)].recover()
            try:
                assert self.look() == Standing(self.spent, 0)
            finally:
                for quotas in self.living.values():
                    quotas.close()
                shutil.rmtree(self.folder, ignore_errors=True)

        def pick(self, who: int) -> str:
            return list(self.living)[who % len(self.living)]

        def look(self) -> Standing:
            return next(iter(self.living.values())).standing(DAY)

    return cast(type[RuleBasedStateMachine], Workers)
