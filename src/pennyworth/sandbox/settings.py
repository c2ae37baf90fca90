"""How a sandbox is set up: one frozen value, readable from JSON, the same for a thread, a process and the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

import msgspec

from pennyworth.errors import ConfigError
from pennyworth.sandbox.batches import Behaviour
from pennyworth.sandbox.faults import Rule
from pennyworth.sandbox.latency import Latency

_PUBLISHED = (
    ("gpt-4o", "2.50", "10.00", "1.25"),
    ("gpt-4o-mini", "0.15", "0.60", "0.075"),
    ("gpt-4.1", "2.00", "8.00", "0.50"),
    ("gpt-4.1-mini", "0.40", "1.60", "0.10"),
    ("gpt-4.1-nano", "0.10", "0.40", "0.025"),
    ("gpt-5", "1.25", "10.00", "0.125"),
    ("gpt-5-mini", "0.25", "2.00", "0.025"),
    ("gpt-5-nano", "0.05", "0.40", "0.005"),
    ("o3", "2.00", "8.00", "0.50"),
    ("o4-mini", "1.10", "4.40", "0.275"),
    ("claude-opus-5", "5.00", "25.00", "0.50"),
    ("claude-sonnet-5", "2.00", "10.00", "0.20"),
    ("claude-haiku-4-5", "1.00", "5.00", "0.10"),
    ("text-embedding-3-small", "0.02", "0", "0.02"),
    ("text-embedding-3-large", "0.13", "0", "0.13"),
)


def default_prices() -> dict[str, dict[str, str]]:
    """Dollars per million tokens, as OpenAI published them for these models in 2025, and Anthropic in 2026."""
    return {model: {"input": i, "output": o, "cached": c} for model, i, o, c in _PUBLISHED}


_PRICED = ("input", "output", "cached", "cache_write", "cache_write_1h")
_REASONS = re.compile(r"o[0-9]|gpt-5")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be said of a simulated provider.

    Attributes:
        prices: model -> ``{"input", "output", "cached"}`` in dollars per million tokens, as strings; for Anthropic's
            ``cache_write`` and ``cache_write_1h`` besides (5/4 and twice the input unless said). A model that is not
            named does not exist: 404.
        rules: faults (see ``faults.Rule``). ``prompt_faults``: a prompt may ask for one by ``FAULT:<kind>``.
        answer_words: the fewest and most words of an answer; which of them is a function of the request.
        reasoning_tokens: the fewest and most that models named like ``o3`` or ``gpt-5-mini`` think before they answer.
        keys: the credentials accepted; none = any.
        snapshots: model asked for -> the name the reply gives, as providers do.
        fingerprint: the ``system_fingerprint``; another one stands for other weights.
        prefixes, prefix_idle_s: of the prompt cache: how many prefixes it knows, and for how long without use.
        stored: how many responses can be read again and gone on from.
        batches: how work that can wait goes (see ``batches.Behaviour``).
        bill_lines: how many invoice lines are kept. ``run``: part of every id; "" = chosen at random at the start.
    """

    prices: dict[str, dict[str, str]] = msgspec.field(default_factory=default_prices)
    seed: int = 0
    latency: Latency = Latency()
    rules: tuple[Rule, ...] = ()
    prompt_faults: bool = True
    answer_words: tuple[int, int] = (12, 40)
    reasoning_tokens: tuple[int, int] = (64, 512)
    keys: tuple[str, ...] = ()
    snapshots: dict[str, str] = {}
    fingerprint: str = "fp_sandbox0001"
    prefixes: int = 200_000
    prefix_idle_s: float = 600.0
    stored: int = 1000
    bill_lines: int = 200_000
    max_body_bytes: int = 64 * 2**20
    run: str = ""
    batches: Behaviour = Behaviour()

    def __post_init__(self) -> None:
        for model, price in self.prices.items():
            _check_price(f"prices.{model}", price)
        for name in ("answer_words", "reasoning_tokens"):
            least, most = getattr(self, name)
            if not 0 <= least <= most:
                raise ConfigError(
                    f"sandbox.{name}", f"({least}, {most}) is no range", "Give the fewest, then the most."
                )

    def reasons(self, model: str) -> bool:
        """Whether a model thinks before it answers, by its name as at OpenAI."""
        return _REASONS.match(model) is not None


def _check_price(key: str, price: Mapping[str, str]) -> None:
    for kind in ("input", "output", *price):
        try:
            amount = Fraction(price[kind])
        except (KeyError, ValueError, TypeError, ZeroDivisionError):
            amount = Fraction(-1)
        if kind not in _PRICED or amount < 0:
            raise ConfigError(
                f"sandbox.{key}.{kind}",
                f"{price.get(kind)!r} is no price",
                f'Give {", ".join(_PRICED)} in dollars per million tokens, as strings like "0.15".',
            )
