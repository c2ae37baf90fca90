"""Whether a part that was slow or broken is asked again yet: not for a while, then once, then for twice the while."""

from __future__ import annotations

from collections.abc import Callable

_FIRST_S = 1.0
_LONGEST_S = 60.0


class Breaker:
    """Closed: ask. Open: do not. When its time is over it lets one question through, which closes it or doubles the time.

    Attributes:
        reason: why it is open, "" while it is closed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.reason = ""
        self._clock = clock
        self._pause_s = _FIRST_S
        self._until = 0.0

    def allows(self) -> bool:
        """Whether to ask now. The one question that tries an open breaker keeps the others out meanwhile."""
        if not self.reason:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._pause_s
        return True

    def trip(self, reason: str) -> None:
        """The part failed: leave it alone, each time in a row for longer."""
        self._pause_s = min(self._pause_s * 2, _LONGEST_S) if self.reason else _FIRST_S
        self._until = self._clock() + self._pause_s
        self.reason = reason

    def reset(self) -> None:
        """The part answered in good time."""
        self.reason = ""
