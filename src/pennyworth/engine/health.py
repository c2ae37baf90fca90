"""What this process knows of the targets it calls: their health, their pace, and who waits for room at one.

Each process learns for itself: what one sees of a provider in a second is enough to decide by.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Literal

import msgspec
from cachebox import LRUCache

from pennyworth.decide import breaker
from pennyworth.decide.breaker import WELL, Breaker
from pennyworth.decide.pace import Pace
from pennyworth.plan import Persistence, Target
from pennyworth.request import Caller

_REMEMBERED = 128
_ENOUGH = 20
_MOST_RETRIES = 10.0


class Latencies:
    """The last times until a reply began (a stream) or had come (a whole one), in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_REMEMBERED)
        self._p95 = math.inf
        self._since = 0

    def add(self, took_s: float) -> None:
        self._last.append(took_s)
        self._since += 1

    @property
    def p95_s(self) -> float:
        """Infinite until there are enough to tell."""
        if self._since >= 8 and len(self._last) >= _ENOUGH:
            self._since = 0
            self._p95 = sorted(self._last)[int(len(self._last) * 0.95)]
        return self._p95


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One target as people look at it.

    Attributes:
        limit: calls at once as learnt or configured, 0 = none is known.
        requests_left, tokens_left: of the provider's rate limits, as it last said.
    """

    target: str
    state: Literal["well", "held", "exhausted", "failing"]
    under_way: int
    waiting: int
    limit: int
    resting_s: float = 0.0
    requests_left: int | None = None
    tokens_left: int | None = None

    def beside(self, other: Health) -> Health:
        """What two workers see, together: calls add up, and the worse news counts."""
        return Health(
            target=self.target,
            state=max(self.state, other.state, key=_WORST_LAST.index),
            under_way=self.under_way + other.under_way,
            waiting=self.waiting + other.waiting,
            limit=self.limit + other.limit if self.limit and other.limit else 0,
            resting_s=max(self.resting_s, other.resting_s),
            requests_left=_least(self.requests_left, other.requests_left),
            tokens_left=_least(self.tokens_left, other.tokens_left),
        )


_WORST_LAST = ("well", "held", "exhausted", "failing")


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


class TargetHealth:
    """One target's breaker, pace, retry budget and queue. ``enter`` before each call, ``leave`` after it.

    Attributes:
        under_way: calls at present. ``whole``, ``streams``: how long replies take.
        requests_left, tokens_left: of its rate limits, as its headers last said.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.breaker: Breaker = WELL
        self.pace = Pace()
        self.under_way = 0
        self.whole, self.streams = Latencies(), Latencies()
        self.requests_left: int | None = None
        self.tokens_left: int | None = None
        self._most = math.inf
        self._retries = _MOST_RETRIES
        self._queue: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def offered(self, persistence: Persistence) -> None:
        """A request wants this target: it adds its share to what may be spent on retries."""
        self._most = persistence.max_concurrency or math.inf
        self._retries = min(self._retries + persistence.retry_share, _MOST_RETRIES)

    def spend_retry(self) -> bool:
        """Whether one call more than the requests may be made."""
        if self._retries < 1.0:
            return False
        self._retries -= 1.0
        return True

    def enter_at_once(self) -> bool:
        """Whether there is room now, and nobody before us in the queue."""
        if self._queue or not self._has_room():
            return False
        self.under_way += 1
        return True

    async def enter(self, persistence: Persistence, patience_s: float) -> bool:
        """Waits for room; ``False`` when the queue is full or the patience is at its end."""
        held_s = self.held_s(asyncio.get_running_loop().time())
        if len(self._queue) >= persistence.max_waiting or held_s >= patience_s or patience_s <= 0:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._call_next()
        try:
            await asyncio.wait((turn,), timeout=patience_s)
        except asyncio.CancelledError:
            if turn.done():
                self.leave()
            raise
        finally:
            if not turn.done():
                turn.cancel()
                self._queue.remove(turn)  # who has gone takes nobody's place
        return not turn.cancelled()

    def leave(self) -> None:
        self.under_way -= 1
        if self._queue:
            self._call_next()

    def set_pace(self, learnt: Pace) -> None:
        self.pace = learnt
        if self._queue:
            self._call_next()

    def rest_s(self, now_s: float) -> float:
        """How long it is still left alone."""
        return breaker.wait_s(self.breaker, now_s) if self.breaker.resting else 0.0

    def held_s(self, now_s: float) -> float:
        """How long nothing goes out to it, because its rate limit is used up."""
        return max(self.pace.hold_until_s - now_s, 0.0)

    def seen(self, now_s: float) -> Health:
        resting = self.rest_s(now_s)
        limit = min(self._most, self.pace.limit)
        return Health(
            target=self.name,
            state=self.breaker.why or ("held" if self.held_s(now_s) else "well"),
            under_way=self.under_way,
            waiting=len(self._queue),
            limit=0 if limit == math.inf else int(limit),
            resting_s=round(resting, 3),
            requests_left=self.requests_left,
            tokens_left=self.tokens_left,
        )

    def _has_room(self) -> bool:
        if self.under_way >= min(self._most, self.pace.limit):
            return False
        return not self.pace.hold_until_s or asyncio.get_running_loop().time() >= self.pace.hold_until_s

    def _call_next(self) -> None:
        """Lets in as many as there is room for; comes back when a hold ends."""
        while self._queue and self._has_room():
            self.under_way += 1
            self._queue.popleft().set_result(None)
        if self._queue and self._timer is None:
            loop = asyncio.get_running_loop()
            left = self.held_s(loop.time())
            if left > 0:
                self._timer = loop.call_later(left, self._hold_over)

    def _hold_over(self) -> None:
        self._timer = None
        self._call_next()


def account_of(target: Target, caller: Caller) -> str:
    """Whose money a call takes: ours at the provider, or the caller's own."""
    provider = target.provider
    return f"{provider.name}/{caller.scope}" if provider.forward_caller else provider.name


class Healths:
    """All targets that were called lately. ``account``: of the money at a provider, which all its models share."""

    _MOST = 500

    def __init__(self) -> None:
        self._targets: LRUCache[str, TargetHealth] = LRUCache(self._MOST)
        self._accounts: LRUCache[str, Breaker] = LRUCache(self._MOST)

    def of(self, target: Target) -> TargetHealth:
        found = self._targets.get(target.name)
        if found is None:
            found = TargetHealth(target.name)
            self._targets.insert(target.name, found)
        return found

    @property
    def accounts_rest(self) -> bool:
        """Whether any does."""
        return bool(self._accounts)

    def account(self, name: str) -> Breaker:
        return self._accounts.get(name, WELL)

    def set_account(self, name: str, seen: Breaker) -> None:
        if seen == WELL:
            self._accounts.pop(name, None)
        else:
            self._accounts.insert(name, seen)

    def seen(self, now_s: float) -> list[Health]:
        return [self._with_account(name, health.seen(now_s), now_s) for name, health in self._targets.items()]

    def _with_account(self, target: str, seen: Health, now_s: float) -> Health:
        """A target that is well rests with its account. Accounts of callers' own are theirs alone, and say nothing here."""
        account = self._accounts.get(target.partition("/")[0], WELL)
        if seen.state == "failing" or not account.resting:
            return seen
        rest = round(max(account.until_s - now_s, 0.0), 3)
        return msgspec.structs.replace(seen, state="exhausted", resting_s=rest)
