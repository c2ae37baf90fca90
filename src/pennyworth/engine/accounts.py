"""This worker's side of the shared accounts: what it holds of them, what it reports, and what it recovers of the dead.

On the request path it only leases; everything else is done four times a second, in the background.
"""

from __future__ import annotations

import asyncio
import contextlib

from pennyworth.decide.allowance import Limit
from pennyworth.engine.budget_alerts import BudgetAlerts
from pennyworth.engine.holding import Holding
from pennyworth.engine.purse import Held
from pennyworth.engine.state import State
from pennyworth.errors import StoreError
from pennyworth.ports import Account, Bill, Quotas, Standing

REPORT_S = 0.25
"""Between two reports of what was used. Four of them without a reservation, and a worker gives back what it holds."""

RECOVER_S = 3.0
"""Between two looks for what dead workers hold."""

_SULK_NS = 10**9
"""After a failure of the shared accounts nobody asks them for so long: each try may hold up all callers for 30 ms."""


class Accounts:
    """Used by the engine's own thread alone."""

    def __init__(self, state: State, quotas: Quotas, alerts: BudgetAlerts, recover_s: float = RECOVER_S) -> None:
        self._state = state
        self._quotas = quotas
        self._alerts = alerts
        self._recover_s = recover_s
        self._held: dict[Account, Held] = {}
        self._touched: list[Holding] = []
        self._sulks_until_ns = 0
        self._reporting = asyncio.Lock()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def held(self, limit: Limit, now_s: float) -> Held:
        """What this worker holds of a limit's account in the window of now; the same to all who share the limit."""
        account = limit.account(now_s)
        known = self._held.get(account)
        holding = known.holding if known else Holding(account, self._touched, limit.ceiling, now_s)
        holding.ceiling = limit.ceiling
        held = self._held[account] = Held(limit, holding)
        return held

    def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int:
        """``Quotas.lease``, but for a moment after it has failed: then it fails at once."""
        now_ns = self._state.clock.mono_ns()
        if now_ns < self._sulks_until_ns:
            raise StoreError("the shared accounts could not be read a moment ago")
        try:
            return self._quotas.lease(account, ceiling, want, least, since_s)
        except StoreError as error:
            self._sulks_until_ns = now_ns + _SULK_NS
            self._state.trouble("quotas", f"{error}. Whoever has limits and no lease left is refused.")
            raise

    def standing(self, account: Account) -> Standing:
        return self._quotas.standing(account)

    def start(self) -> None:
        """From now on reports are made, in a task of their own, until ``close``."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """The last report. What it cannot tell is found in the books by whoever recovers."""
        self._closing.set()
        if self._task is not None:
            await self._task
        await self.report(all_back=True)

    async def report(self, *, all_back: bool = False) -> None:
        """Tells the shared accounts what was used here, and gives back what nobody needs. One report at a time: what is
        on its way is in no list."""
        async with self._reporting:
            touched, self._touched[:] = list(self._touched), []
            bills = [(holding, *made) for holding in touched if (made := holding.bill(all_back=all_back))]
            try:
                await self._tell(bills)
            finally:  # or what is held here would be reported never again
                for holding in touched:
                    holding.stay()
            for holding in touched:
                if (held := self._held.get(holding.account)) is not None:
                    self._alerts.look(held)

    async def _tell(self, bills: list[tuple[Holding, Bill, int]]) -> None:
        try:
            stand = await asyncio.to_thread(self._quotas.settle, [bill for _, bill, _ in bills]) if bills else ()
        except Exception as error:
            for holding, bill, spare in bills:
                holding.unbilled(bill, spare)
            if not isinstance(error, StoreError):
                raise
            self._state.trouble("quotas", f"{error}. What was used is reported later.")
        else:
            for (holding, _, _), now in zip(bills, stand, strict=True):
                holding.billed(now)

    async def recover(self) -> None:
        """What dead workers hold, and what this one knows of windows long over."""
        try:
            if closed := await asyncio.to_thread(self._quotas.recover):
                self._state.counters.recovered += closed
        except StoreError as error:
            self._state.trouble("quotas", f"{error}. What dead workers hold is not free yet.")
        now_s = self._state.clock.wall_s()
        for account in [
            account for account, held in self._held.items() if account.until_s < now_s and held.holding.quiet
        ]:
            del self._held[account]

    async def _run(self) -> None:
        passes_between = max(1, round(self._recover_s / REPORT_S))
        passes = 0
        while not self._closing.is_set():
            try:
                await self.report()
                if passes % passes_between == 0:
                    await self.recover()
            except Exception as error:  # the edge of a task: budgets must not stand still for a defect
                self._state.defect("quotas", error)
            passes += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), REPORT_S)
