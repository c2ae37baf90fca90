"""What the process knows, at one address. It hands out frozen snapshots; what happened is folded in here."""

from __future__ import annotations

import hmac
import traceback
from collections.abc import Callable

from cachebox import LRUCache

from pennyworth.engine.counters import Counters
from pennyworth.engine.health import Healths
from pennyworth.engine.terms import Terms
from pennyworth.outcome import Receipt
from pennyworth.ports import Clock
from pennyworth.view import Control, Tenants, View


class State:
    """The terms (the Plan among them), control row, tenants, counters and how often each kept question was asked.

    ``forgetful``: those who remember what was asked or answered, to be told to drop it after a purge.

    Only the engine's own thread calls it. ``seed`` makes chance repeatable: the same seed, purpose and key always
    draw the same number. ``report(part, what)`` writes one log line, not one a request.
    """

    def __init__(
        self, terms: Terms, control: Control, clock: Clock, seed: bytes, report: Callable[[str, str], None]
    ) -> None:
        self.adopt(terms)
        self.control = control
        self.tenants = Tenants()
        self.clock = clock
        self.counters = Counters()
        self.healths = Healths()
        self.draining = False
        self.forgetful: list[Callable[[], None]] = []
        self._draw = _drawer(seed)
        self._report = report
        self._asks: LRUCache[bytes, int] = LRUCache(20_000)
        self._sampled: LRUCache[bytes, bool] = LRUCache(20_000)

    def adopt(self, terms: Terms) -> None:
        """What begins from now on is served by these terms."""
        self.terms = terms
        self.plan = terms.plan

    def snapshot(self) -> View:
        return View(
            plan=self.plan,
            control=self.control,
            wall_s=self.clock.wall_s(),
            mono_ns=self.clock.mono_ns(),
            draw=self._draw,
            draining=self.draining,
            tenants=self.tenants,
        )

    def fold(self, receipt: Receipt) -> None:
        self.counters.book(receipt)

    def drop_memories(self) -> None:
        """What was purged must not linger in memory beside the stores, where no sweep goes."""
        for drop in self.forgetful:
            drop()

    def trouble(self, part: str, what: str) -> None:
        """Something of ours failed outside any one request's receipt."""
        self.counters.troubles[part] = self.counters.troubles.get(part, 0) + 1
        self._report(part, what)

    def defect(self, part: str, error: Exception) -> None:
        """Something nobody foresaw: its kind and place. Not its message, which may quote anybody's request."""
        last = traceback.extract_tb(error.__traceback__)[-1:]
        place = f" at {last[0].filename.rpartition('/')[2]}:{last[0].lineno}" if last else ""
        self.trouble(part, f"{type(error).__name__}{place}: a defect of the gateway")

    def sampled_again(self, key: bytes) -> bool:
        """Whether this sampled question was asked before: keeping its answer would have saved this call."""
        before = key in self._sampled
        self._sampled.insert(key, True)
        return before

    def not_kept(self, reason: str) -> None:
        """A reply that was not kept, by the words of its reason before any figure."""
        reason = reason.partition(":")[0][:60]
        counts = self.counters.not_kept
        if reason in counts or len(counts) < 100:
            counts[reason] = counts.get(reason, 0) + 1

    def asked_again(self, key: bytes, before: int) -> int:
        """Counts one more asking of a kept question; ``before``: how often the store says it was asked."""
        asks = max(self._asks.get(key) or 0, before) + 1
        self._asks.insert(key, asks)
        return asks


def _drawer(seed: bytes) -> Callable[[str, bytes], float]:
    def draw(purpose: str, key: bytes) -> float:
        digest = hmac.digest(seed, purpose.encode() + b"\0" + key, "sha256")
        return int.from_bytes(digest[:8], "big") / 2**64

    return draw
