"""Tells people what they should know, once: a log line, a metric, and a message to the webhook if there is one.

Never on the path of a request, and nothing waits for it: who cannot be reached after three tries is not told, and that is
logged. Anybody in the engine may raise an alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import msgspec

from pennyworth.engine.state import State
from pennyworth.errors import StoreError, UpstreamError
from pennyworth.plan import Plan
from pennyworth.ports import Notices

Send = Callable[[bytes], Awaitable[None]]
"""Posts one message. Raises ``UpstreamError`` where it did not arrive; its words hold no secret."""

Sender = Callable[[Plan], Send | None]
"""Where the alerts of a Plan go besides the log; ``None``: nowhere."""

_PAUSES_S = (1.0, 5.0)
_LAST_WORDS_S = 1.0
_MOST_UNDER_WAY = 100


class Alerts:
    """``raise_`` is called in the engine's loop."""

    def __init__(
        self,
        state: State,
        notices: Notices,
        report: Callable[[str, str], None],
        sender: Sender,
        pauses_s: tuple[float, ...] = _PAUSES_S,
    ) -> None:
        self._state = state
        self._notices = notices
        self._report = report
        self._sender = sender
        self._pauses_s = pauses_s
        self._under_way: set[asyncio.Task[None]] = set()

    def raise_(
        self,
        kind: str,
        subject: str,
        text: str,
        facts: Mapping[str, str | int | float] | None = None,
        *,
        once: str = "",
        until_s: float = 0.0,
    ) -> None:
        """Tells of something.

        Args:
            kind: one of a few words, for filters: ``budget``, ``account_exhausted``.
            subject: whom or what it is about: ``key:alice``, ``openai``.
            text: the whole of it in a sentence or two. ``facts``: its figures, for programs.
            once: a name for the occasion: of all workers, and over restarts, one tells of it until ``until_s``.
        """
        if len(self._under_way) >= _MOST_UNDER_WAY:
            return
        alert = {"kind": kind, "subject": subject, "text": text, "facts": dict(facts or {}), "at": self._now()}
        task = asyncio.get_running_loop().create_task(self._tell(kind, text, msgspec.json.encode(alert), once, until_s))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """A last moment for what is on its way."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_LAST_WORDS_S)
            for task in late:
                task.cancel()

    async def _tell(self, kind: str, text: str, message: bytes, once: str, until_s: float) -> None:
        if once and not await self._first(once, until_s):
            return
        counts = self._state.counters.alerts
        counts[kind] = counts.get(kind, 0) + 1
        self._report("alert", text)
        if (send := self._sender(self._state.plan)) is not None:
            await self._post(send, message)

    async def _first(self, once: str, until_s: float) -> bool:
        """Told twice is better than never told."""
        try:
            return await asyncio.to_thread(self._notices.first, once, until_s)
        except StoreError:
            return True

    async def _post(self, send: Send, message: bytes) -> None:
        for pause_s in (*self._pauses_s, None):
            try:
                return await send(message)
            except UpstreamError as error:
                if pause_s is None:
                    self._state.trouble("alerts", f"the webhook of [alerts] was not reached: {error.message}")
                else:
                    await asyncio.sleep(pause_s)
        return None

    def _now(self) -> str:
        return datetime.fromtimestamp(self._state.clock.wall_s(), UTC).isoformat(timespec="seconds")
