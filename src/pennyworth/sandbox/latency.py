"""When each token of a simulated answer is due. Values only: the sandbox waits, this file says how long.

Real providers queue, batch and share machines; this model has a constant, a rate and a seeded spread, no more.
"""

from __future__ import annotations

import msgspec

from pennyworth.sandbox.chance import draw


class Pace(msgspec.Struct, frozen=True):
    """The timing of one reply: its first token after ``first_s``, then one every ``gap_s``."""

    first_s: float
    gap_s: float

    def due_s(self, tokens: int) -> float:
        """Seconds from the request until so many tokens are out."""
        return self.first_s + tokens * self.gap_s


AT_ONCE = Pace(0.0, 0.0)


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast the simulated provider is. All zero, as by default: as fast as the machine.

    Attributes:
        first_token_s: before the first token.
        prefill_tokens_per_s: prompt tokens that are not cached are read at this rate before that; 0 = at once.
        tokens_per_s: output tokens a second; 0 = at once.
        jitter: 0.2 = each request is faster or slower by up to 20 %, the same for the same request and seed.
    """

    first_token_s: float = 0.0
    prefill_tokens_per_s: float = 0.0
    tokens_per_s: float = 0.0
    jitter: float = 0.0

    def pace(self, fresh_prompt_tokens: int, draw_key: str) -> Pace:
        prefill = fresh_prompt_tokens / self.prefill_tokens_per_s if self.prefill_tokens_per_s else 0.0
        gap = 1.0 / self.tokens_per_s if self.tokens_per_s else 0.0
        first = self.first_token_s + prefill
        if not first and not gap:
            return AT_ONCE
        return Pace(first * self._factor(draw_key + ":first"), gap * self._factor(draw_key + ":gap"))

    def _factor(self, draw_key: str) -> float:
        return 1.0 + self.jitter * (2.0 * draw(draw_key) - 1.0)
