"""What the engine gave for one request, in the few figures that a batch counts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pennyworth.engine import heads
from pennyworth.engine.passage import Reply
from pennyworth.money import Money
from pennyworth.outcome import AttemptNote, Receipt

_KINDS = ("exact", "partial", "normalised", "semantic", "stale", "replayed")


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One reply.

    ``receipt``: its id. ``served``: where it came from. ``spent``, ``saved``: picodollars. ``later_s``: it may be had
    by asking again, after so long; 0 = not so. ``lost``: it was made, and what became of it is not known.
    """

    status: int
    body: bytes
    receipt: str = ""
    served: str = ""
    spent: int = 0
    saved: int = 0
    later_s: float = 0.0
    lost: bool = False


_BUSY = frozenset([408, 409, 429, 503, 529])
_SOON_S = 1.0


def of_reply(reply: Reply, receipt: Receipt | None = None) -> Heard:
    """``receipt``: of a call, which says more than headers do."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
    return Heard(
        status=reply.status,
        body=reply.body,
        receipt=headers.get("x-pennyworth-receipt", ""),
        served=receipt.served if receipt else _served(headers),
        spent=receipt.spent.pico if receipt else _pico(headers, "x-pennyworth-spent"),
        saved=sum(each.pico for each in receipt.saved.values()) if receipt else _pico(headers, "x-pennyworth-saved"),
        later_s=_later_s(reply.status, headers, receipt),
        lost=_lost(reply, receipt),
    )


def _served(headers: Mapping[str, str]) -> str:
    """Of what was given at once: a kept answer, a first result, or a refusal."""
    status = headers.get("cache-status", "")
    return next((kind for kind in _KINDS if status.endswith(f"detail={kind}")), "none")


def _pico(headers: Mapping[str, str], name: str) -> int:
    try:
        return Money.usd(headers[name]).pico
    except (KeyError, ArithmeticError):
        return 0  # a refusal, or unpriced


def _later_s(status: int, headers: Mapping[str, str], receipt: Receipt | None) -> float:
    """Asking again costs nothing where nobody took the request: too many of them, a provider that is not reached."""
    if headers.get("x-should-retry") == "false":
        return 0.0
    if status in _BUSY or (receipt is not None and _unreached(receipt)):
        try:
            return max(_SOON_S, float(headers.get("retry-after", _SOON_S)))
        except ValueError:
            return _SOON_S  # an HTTP date
    return 0.0


def _unreached(receipt: Receipt) -> bool:
    return bool(receipt.attempts) and all(attempt.broke == "connect" for attempt in receipt.attempts)


def _lost(reply: Reply, receipt: Receipt | None) -> bool:
    """409 that asking again does not mend: the engine's own word for a request that was made and cannot be given."""
    if receipt is None:
        return reply.status == 409 and heads.NO_RETRY in reply.headers
    return reply.status >= 400 and any(_no_reply(attempt) for attempt in receipt.attempts)


def _no_reply(attempt: AttemptNote) -> bool:
    return attempt.ending in ("cut", "unknown") and attempt.broke not in ("connect", "no_room", "resting")
