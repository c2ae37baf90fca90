"""What one worker holds of one account: it reserves from its lease in plain integers, and asks for more when it must.

A unit is always in one place: ``free``, ``reserved`` for a call under way, or ``spent`` and not yet reported.
"""

from __future__ import annotations

from typing import Protocol

from pennyworth.ports import Account, Bill, Standing

_START = 64
"""At first a worker asks for this part of the ceiling; later for what it needs between two reports."""

_PATIENT = 4
"""Reports without a reservation until a worker gives back all that it has free."""


class Lender(Protocol):
    """As much of ``Quotas`` as a holding asks for on the request path."""

    def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int: ...

    def standing(self, account: Account) -> Standing: ...


class Holding:
    """Used by the engine's own thread alone. Puts itself on the list ``touched`` when there will be something to report.

    Attributes:
        used: settled use of all workers, as last heard; it only grows.
        short: a call did not fit into all that was left, so the account is as good as used up.
        told: shares of which people have been told already.
    """

    __slots__ = (
        "_demand",
        "_idle",
        "_listed",
        "_over",
        "_recent",
        "_since_s",
        "_touched",
        "account",
        "ceiling",
        "free",
        "reserved",
        "short",
        "spent",
        "told",
        "used",
    )

    def __init__(self, account: Account, touched: list[Holding], ceiling: int = 0, since_s: float = 0.0) -> None:
        """``since_s``: from when on requests are counted here; its first one began then."""
        self.account = account
        self.ceiling = ceiling
        self.free = self.reserved = self.spent = self.used = 0
        self.short = False
        self.told: set[float] = set()
        self._over = self._demand = self._recent = self._idle = 0
        self._touched = touched
        self._since_s = since_s
        self._listed = False

    @property
    def left(self) -> int:
        """What is left at most, whatever other workers hold."""
        return self.ceiling - self.used - self.spent

    @property
    def quiet(self) -> bool:
        """Nothing is held or owed: it may be forgotten."""
        return not (self.free or self.reserved or self.spent or self._over)

    def reserve(self, amount: int, lender: Lender) -> bool:
        """Whether so much is set aside now. Raises ``StoreError``."""
        if not self._listed:
            self._list()
        if amount > self.free and not self._lease(amount, lender):
            return False
        self.free -= amount
        self.reserved += amount
        self._demand += amount
        return True

    def settle(self, reserved: int, actual: int) -> None:
        """A reservation has ended, and this much was used. More than was reserved is taken out of what is free, and
        beyond that reported as it is."""
        if not self._listed:  # what nothing was reserved for may cost something all the same
            self._list()
        self.reserved -= reserved
        self.spent += actual
        self.free += reserved - actual
        if self.free < 0:
            self._over -= self.free
            self.free = 0

    def release(self, reserved: int) -> None:
        """A reservation that nothing came of."""
        self.reserved -= reserved
        self.free += reserved
        self._demand -= reserved

    def bill(self, *, all_back: bool = False) -> tuple[Bill, int] | None:
        """What there is to report, taken out of here, and how much of it is given back; ``None``: nothing.

        What was needed lately is kept, so that a busy worker need not ask for each request.
        """
        self._recent = max(self._demand, self._recent // 2)
        self._idle = 0 if self._demand else self._idle + 1
        self._demand = 0
        spare = self.free if all_back or self._idle >= _PATIENT else max(0, self.free - 2 * self._recent)
        if not (self.spent or spare or self._over):
            return None
        bill = Bill(self.account, self.spent, spare - self._over)
        self.free -= spare
        self.spent = self._over = 0
        return bill, spare

    def billed(self, stand: Standing) -> None:
        self.used = max(self.used, stand.used)

    def unbilled(self, bill: Bill, spare: int) -> None:
        """The report was not taken: all is as it was."""
        self.free += spare
        self.spent += bill.used
        self._over += spare - bill.back

    def stay(self) -> None:
        """After a report: on the list still, as long as anything is held."""
        self._listed = False
        if not self.quiet:
            self._list()

    def _list(self) -> None:
        self._listed = True
        self._touched.append(self)

    def _lease(self, needed: int, lender: Lender) -> bool:
        if needed > self.left:
            self.short = True  # whatever anybody gives back
            return False
        want, least = max(2 * self._recent, self.ceiling // _START), needed - self.free
        granted = lender.lease(self.account, self.ceiling, want, least, self._since_s)
        self.free += granted
        if not granted:
            self.billed(lender.standing(self.account))
            self.short = needed > self.left
        return bool(granted)
