"""What the sandbox charges, as an invoice line per request: the other side of the books.

Written to be an independent check, so it shares no code with the gateway's prices: rates are ``Fraction`` values of the
strings given at the start, an amount is rounded once, half to even, to a whole picodollar (10⁻¹² USD) per request.

Whole replies are billed. Errors, and replies the provider itself breaks, are not. A stream the client leaves is billed
for its prompt and what was generated until then; a JSON reply the client does not wait for is billed whole.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import islice
from math import lcm

import msgspec

PICO_PER_USD = 10**12
MILLION = 10**6


class Tokens(msgspec.Struct, frozen=True, gc=False):
    """Usage as it stands on the bill. ``cached`` and ``written`` (to the prompt cache) are parts of ``input``,
    ``written_1h`` (to be kept for an hour) of ``written``, ``reasoning`` of ``output``."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    written: int = 0
    written_1h: int = 0


class BillLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request on the invoice.

    Attributes:
        number: counts from 1. ``request_id``: the ``x-request-id`` of the reply.
        model: as asked for; ``-`` when the request did not say. ``tenant``: the hash of the credential.
        amount_pico: in whole picodollars; 0 when not billed.
        completed: the whole reply was handed to the client. ``billed``: it is charged.
        status: HTTP status; 0 when none was sent. ``fault``: what the script made of it, "" for nothing.
        batch: a line of a batch, at half the price.
    """

    number: int
    request_id: str
    model: str
    tenant: str
    usage: Tokens
    amount_pico: int
    completed: bool
    billed: bool
    stream: bool
    status: int
    fault: str = ""
    batch: bool = False


class Totals(msgspec.Struct, kw_only=True):
    """Sums over all lines, those no longer kept included."""

    requests: int = 0
    completed: int = 0
    billed: int = 0
    amount_pico: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    written: int = 0
    written_1h: int = 0


class Rates:
    """Picodollars a token, from dollars a million tokens as strings: exact fractions, brought to one denominator so that
    a request costs one division."""

    __slots__ = ("_cached", "_denominator", "_input", "_output", "_written", "_written_1h")

    def __init__(self, usd_per_million: Mapping[str, str]) -> None:
        given = {kind: Fraction(usd) for kind, usd in usd_per_million.items()}
        into = given["input"]
        usual = {"cached": into, "cache_write": into * Fraction(5, 4), "cache_write_1h": into * 2}
        kinds = ("input", "output", "cached", "cache_write", "cache_write_1h")
        rates = [(usual | given)[kind] * PICO_PER_USD / MILLION for kind in kinds]
        self._denominator = lcm(*(rate.denominator for rate in rates))
        self._input, self._output, self._cached, self._written, self._written_1h = (
            int(rate * self._denominator) for rate in rates
        )

    def amount_pico(self, usage: Tokens) -> int:
        """``round`` of a Fraction rounds half to even."""
        fresh, minutes = usage.input - usage.cached - usage.written, usage.written - usage.written_1h
        whole = fresh * self._input + usage.cached * self._cached + usage.output * self._output
        whole += minutes * self._written + usage.written_1h * self._written_1h
        return whole if self._denominator == 1 else round(Fraction(whole, self._denominator))


class Bill:
    """The invoice. Lines beyond ``max_lines`` are dropped, oldest first; the totals never lose any."""

    def __init__(self, prices: Mapping[str, Mapping[str, str]], max_lines: int) -> None:
        self._rates = {model: Rates(price) for model, price in prices.items()}
        self._lines: deque[BillLine] = deque(maxlen=max_lines)
        self._totals: dict[str, Totals] = {}
        self._number = 0

    def amount_pico(self, model: str, usage: Tokens) -> int:
        return self._rates[model].amount_pico(usage)

    def add(self, line: BillLine) -> None:
        self._number = line.number
        self._lines.append(line)
        totals = self._totals.setdefault(line.model, Totals())
        totals.requests += 1
        totals.completed += line.completed
        if line.billed:
            totals.billed += 1
            totals.amount_pico += line.amount_pico
            totals.input += line.usage.input
            totals.output += line.usage.output
            totals.cached += line.usage.cached
            totals.reasoning += line.usage.reasoning
            totals.written += line.usage.written
            totals.written_1h += line.usage.written_1h

    @property
    def next_number(self) -> int:
        return self._number + 1

    def page(self, after: int, limit: int) -> list[BillLine]:
        """Up to ``limit`` lines whose number is greater than ``after``."""
        first = self._number - len(self._lines) + 1
        start = max(after + 1 - first, 0)
        return list(islice(self._lines, start, start + limit))

    def totals(self) -> dict[str, Totals]:
        """By model."""
        return self._totals

    @property
    def dropped(self) -> int:
        return self._number - len(self._lines)


def random_prices(seed: int, models: Iterable[str]) -> dict[str, dict[str, str]]:
    """Prices nobody charges, for tests that must not pass by a remembered price. Every fourth model or so has a price
    below a picodollar a token, so that rounding is seen."""
    chance = random.Random(seed)
    return {model: _random_price(chance) for model in models}


def _random_price(chance: random.Random) -> dict[str, str]:
    places = 9 if chance.random() < 0.25 else 6
    unit = 10**places
    value = chance.randint(unit // 100, 20 * unit)
    values = {"input": value, "output": value * chance.randint(2, 8), "cached": value * chance.randint(10, 75) // 100}
    values |= {"cache_write": value * 5 // 4, "cache_write_1h": value * 2}
    return {kind: f"{amount // unit}.{amount % unit:0{places}d}" for kind, amount in values.items()}
