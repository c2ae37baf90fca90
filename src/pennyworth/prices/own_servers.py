"""The price of a token from one's own servers: what the GPUs cost an hour, over what they get done in it.

Reading a prompt and writing an answer take turns on a GPU, so a request costs the time of the one plus the time of the
other, each at the speed measured for it alone.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from pennyworth.money import Price, Rate
from pennyworth.prices.reading import Place

KEYS = frozenset({"gpu_hour_usd", "gpus", "input_tokens_per_s", "output_tokens_per_s", "utilisation", "cached"})

_PICO = Decimal("1e-12")
_SPEED = "Give the throughput measured on all the GPUs together, as in input_tokens_per_s = 12000."


def read_own_servers(place: Place, source: str, multiplier: Decimal) -> Price:
    """GPU-hours as dollars per million tokens, rounded half-even to the twelfth decimal.

    ``utilisation`` is the part of the paid time in which the servers work; idle time is paid by the tokens, too.
    Tokens from the prefix cache cost as much as others unless ``cached`` says how much, per million.
    """
    gpus = place.number("gpus", above_zero=True) or Decimal(1)
    used = place.number("utilisation", above_zero=True) or Decimal(1)
    if used > 1:
        raise place.error("utilisation", f"{used} is more than all the time", "Write a part of 1, as in 0.6.")
    hour = place.required("gpu_hour_usd", "Say what one GPU costs an hour.", above_zero=True)
    cached = place.number("cached")
    return Price(
        input=_rate(hour * gpus, used, place.required("input_tokens_per_s", _SPEED, above_zero=True)),
        output=_rate(hour * gpus, used, place.required("output_tokens_per_s", _SPEED, above_zero=True)),
        cached=None if cached is None else Rate(cached),
        multiplier=multiplier,
        source=source,
    )


def _rate(usd_per_hour: Decimal, used: Decimal, tokens_per_s: Decimal) -> Rate:
    exact = Context(prec=100, rounding=ROUND_HALF_EVEN)
    tokens_per_hour = exact.multiply(exact.multiply(tokens_per_s, used), Decimal(3600))
    return Rate(
        exact.quantize(exact.divide(exact.multiply(usd_per_hour, Decimal(10**6)), tokens_per_hour), _PICO).normalize(
            exact
        )
    )
