"""The shipped classes of questions and how long their answers live; ``docs/lifetimes.md`` gives the reasons.

In order of precedence: what goes out of date soonest is tried first, so a doubt costs a hit and not a stale answer.
"""

from __future__ import annotations

from typing import Final

from pennyworth.decide import lifetime_en as en
from pennyworth.decide import lifetime_vi as vi
from pennyworth.decide import lifetime_zh as zh
from pennyworth.plan import Lifetime

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0

DEFAULT_LIFETIMES: Final[tuple[Lifetime, ...]] = (
    Lifetime(
        name="realtime",
        ttl_s=0.0,
        max_s=0.0,
        patterns=en.REALTIME + zh.REALTIME + vi.REALTIME,
        ignore=en.REALTIME_IGNORE + zh.REALTIME_IGNORE + vi.REALTIME_IGNORE,
    ),
    Lifetime(
        name="factual",
        ttl_s=5 * _MINUTE,
        max_s=5 * _MINUTE,
        patterns=en.FACTUAL + zh.FACTUAL + vi.FACTUAL,
        ignore=en.FACTUAL_IGNORE + zh.FACTUAL_IGNORE + vi.FACTUAL_IGNORE,
    ),
    Lifetime(
        name="opinion",
        ttl_s=_HOUR,
        max_s=_DAY,
        patterns=en.OPINION + zh.OPINION + vi.OPINION,
        ignore=en.OPINION_IGNORE + zh.OPINION_IGNORE + vi.OPINION_IGNORE,
    ),
    Lifetime(
        name="code",
        ttl_s=_DAY,
        max_s=7 * _DAY,
        patterns=en.CODE + zh.CODE + vi.CODE,
        ignore=en.CODE_IGNORE + zh.CODE_IGNORE + vi.CODE_IGNORE,
    ),
    Lifetime(
        name="static",
        ttl_s=7 * _DAY,
        max_s=30 * _DAY,
        patterns=en.STATIC + zh.STATIC + vi.STATIC,
        ignore=en.STATIC_IGNORE + zh.STATIC_IGNORE + vi.STATIC_IGNORE,
    ),
    Lifetime(name="embedding", ttl_s=30 * _DAY, max_s=30 * _DAY),
    Lifetime(name="other", ttl_s=_HOUR, max_s=_DAY),
)
"""``realtime`` is never kept, ``factual`` and ``embedding`` earn nothing; the others may earn up to their maximum."""

EMBEDDING: Final = "embedding"
"""The class of every vector, whatever its text says: it has no patterns, since no question is meant."""
