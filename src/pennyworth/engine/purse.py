"""What one caller may use in the windows of this moment, and what a request has set aside of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pennyworth.decide.allowance import Limit
from pennyworth.engine.holding import Holding, Lender
from pennyworth.outcome import Receipt
from pennyworth.view import Grant


class Held(NamedTuple):
    """A limit, and what this worker holds of its account."""

    limit: Limit
    holding: Holding


class Purse(msgspec.Struct, frozen=True):
    """Good until ``until_s``, when the first of its windows ends; and for this grant only.

    ``broken``: its limits cannot be counted (a currency without a rate): nothing may be spent.
    """

    grant: Grant
    until_s: float
    money: tuple[Held, ...] = ()
    requests: tuple[Held, ...] = ()
    tokens: tuple[Held, ...] = ()
    broken: bool = False


class Need(NamedTuple):
    """What a call takes at most: of money, and of tokens a minute."""

    pico: int
    tokens: int = 0


class Hold:
    """What a request has set aside, account by account. ``settle`` ends it, once: nothing stays reserved for a request
    that has its receipt.

    ``pico``: money set aside in all. ``rates``: all limits of tokens count; else, for a model asked beyond a limit, those
    alone whose owner named no other model for this.
    """

    __slots__ = ("_parts", "_purse", "pico", "rates")

    def __init__(self, purse: Purse, *, rates: bool) -> None:
        self._purse = purse
        self._parts: list[tuple[Holding, int]] = []
        self.pico = 0
        self.rates = rates

    def reserve(self, need: Need, lender: Lender) -> list[Limit]:
        """Sets so much more aside of every account, or of none: the limits that do not allow it. Raises ``StoreError``."""
        taken: list[tuple[Holding, int]] = []
        short: list[Limit] = []
        try:
            for limit, holding in self._purse.money:
                _take(limit, holding, need.pico, lender, taken, short)
            for limit, holding in self._purse.tokens:
                if self.rates or limit.at_limit != "downgrade":
                    # A request larger than the whole rate takes all there is, or it would never be let in.
                    _take(limit, holding, min(need.tokens, limit.ceiling), lender, taken, short)
        except BaseException:
            _release(taken)
            raise
        if short:
            _release(taken)
        else:
            self.pico += need.pico
            self._parts += taken
        return short

    def settle(self, receipt: Receipt) -> None:
        """By what the receipt says was spent."""
        parts, self._parts = self._parts, []
        pico, tokens = max(0, receipt.spent.pico), _tokens(receipt) if self._purse.tokens else 0
        amounts: dict[Holding, int] = {}
        for holding, amount in parts:
            amounts[holding] = amounts.get(holding, 0) + amount
        for holding, amount in amounts.items():
            holding.settle(amount, pico if holding.account.unit == "pico" else tokens)


def _take(
    limit: Limit, holding: Holding, amount: int, lender: Lender, taken: list[tuple[Holding, int]], short: list[Limit]
) -> None:
    if holding.reserve(amount, lender):
        taken.append((holding, amount))
    else:
        short.append(limit)


def _release(taken: list[tuple[Holding, int]]) -> None:
    for holding, amount in taken:
        holding.release(amount)


def _tokens(receipt: Receipt) -> int:
    usages = [attempt.usage for attempt in receipt.attempts if attempt.usage is not None]
    return sum(max(0, usage.input) + max(0, usage.output) for usage in usages)
