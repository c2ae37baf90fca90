"""Workers that hold parts of one account: whatever they do, and whatever fails, nothing is spent twice and nothing is lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pennyworth.engine.holding import Holding
from pennyworth.errors import StoreError
from pennyworth.ports import Account, Standing
from pennyworth.quotas.memory import MemoryQuotas, Pool

ACCOUNT = Account("key:alice", "pico", 0.0, 86_400.0)
CEILING = 1000
AMOUNTS = st.integers(0, 300)


class Workers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        pool = Pool()
        self.quotas = [MemoryQuotas(f"w{number}", pool) for number in range(3)]
        self.touched: list[list[Holding]] = [[], [], []]
        self.holdings = [Holding(ACCOUNT, touched, CEILING) for touched in self.touched]
        self.calls: list[tuple[Holding, int]] = []
        self.spent = 0
        self.beyond = 0

    @rule(who=st.integers(0, 2), amount=AMOUNTS)
    def reserve(self, who: int, amount: int) -> None:
        if self.holdings[who].reserve(amount, self.quotas[who]):
            self.calls.append((self.holdings[who], amount))
        else:
            assert amount > 0

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 50), part=st.floats(0, 1), over=st.just(0) | st.integers(0, 200))
    def settle(self, which: int, part: float, over: int) -> None:
        holding, amount = self.calls.pop(which % len(self.calls))
        actual = amount + over if over else int(amount * part)
        holding.settle(amount, actual)
        self.spent += actual
        self.beyond += over

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 50))
    def release(self, which: int) -> None:
        holding, amount = self.calls.pop(which % len(self.calls))
        holding.release(amount)

    @rule(who=st.integers(0, 2), fails=st.booleans(), all_back=st.booleans())
    def report(self, who: int, fails: bool, all_back: bool) -> None:
        touched, self.touched[who][:] = list(self.touched[who]), []
        for holding in touched:
            made = holding.bill(all_back=all_back)
            if made is not None and fails:
                holding.unbilled(*made)
            elif made is not None:
                holding.billed(self.quotas[who].settle([made[0]])[0])
            holding.stay()

    @invariant()
    def no_more_is_promised_than_there_is(self) -> None:
        stand = self.quotas[0].standing(ACCOUNT)
        assert stand.used + stand.leased <= CEILING + self.beyond
        assert self.spent + sum(amount for _, amount in self.calls) <= CEILING + self.beyond
        for holding in self.holdings:
            assert min(holding.free, holding.reserved, holding.spent) >= 0
            assert stand.used + holding.spent <= self.spent

    @invariant()
    def what_a_worker_holds_it_has_leased(self) -> None:
        leased = self.quotas[0].standing(ACCOUNT).leased
        held = sum(holding.free + holding.reserved + holding.spent for holding in self.holdings)
        assert held - self.beyond <= leased

    def teardown(self) -> None:
        """When all calls have ended and all have reported, what was spent is used, and nothing is leased."""
        for holding, amount in self.calls:
            holding.settle(amount, 0)
        for who in range(3):
            self.report(who, fails=False, all_back=True)
        assert self.quotas[0].standing(ACCOUNT) == Standing(self.spent, 0)
        assert all(holding.quiet for holding in self.holdings)
        assert not any(self.touched)


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class Lender:
    """Shared accounts that count how often they are asked."""

    def __init__(self) -> None:
        self.quotas = MemoryQuotas()
        self.asked = 0

    def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int:
        self.asked += 1
        return self.quotas.lease(account, ceiling, want, least)

    def standing(self, account: Account) -> Standing:
        return self.quotas.standing(account)


def test_a_busy_worker_seldom_asks_for_more() -> None:
    lender = Lender()
    holding = Holding(ACCOUNT, [], 10**9)
    for _ in range(20):
        for _ in range(1000):
            assert holding.reserve(100, lender)
            holding.settle(100, 60)
        bill = holding.bill()
        assert bill is not None
        holding.billed(lender.quotas.settle([bill[0]])[0])
    assert lender.asked <= 5


def test_once_a_call_cannot_fit_any_more_nobody_is_asked_again() -> None:
    lender = Lender()
    holding = Holding(ACCOUNT, [], 100)
    assert holding.reserve(60, lender)
    assert not holding.reserve(60, lender)
    assert not holding.short
    holding.settle(60, 60)
    assert not holding.reserve(60, lender)
    assert holding.short
    asked = lender.asked
    assert not holding.reserve(41, lender)
    assert lender.asked == asked
    assert holding.reserve(40, lender)


def test_accounts_that_fail_leave_a_holding_as_it_was() -> None:
    class Broken(Lender):
        def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int:
            raise StoreError("quotas.db: locked")

    holding = Holding(ACCOUNT, [], 100)
    try:
        holding.reserve(1, Broken())
    except StoreError:
        assert holding.quiet
    else:
        raise AssertionError("it must say that it cannot")
