"""Many episodes, one after the other, from one seed. Each has a seed of its own, by which it can be played alone."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec

from pennyworth.simulation.episode import Episode, play
from pennyworth.simulation.parts import AS_SHIPPED, Fittings

REQUESTS = 500
"""In an episode: enough to fill caches and meet each other, few enough to be looked through."""


class Tally(msgspec.Struct, kw_only=True):
    """What came of a run. ``failed``: the episodes in which a law was broken."""

    requests: int = 0
    episodes: int = 0
    calls: int = 0
    crashes: int = 0
    served: Counter[str] = msgspec.field(default_factory=Counter)
    failed: list[Episode] = []
    digest: str = ""

    def add(self, episode: Episode) -> None:
        self.requests += episode.requests
        self.episodes += 1
        self.calls += episode.calls
        self.crashes += episode.crashes
        self.served.update(episode.served)
        self.digest = hashlib.sha256(f"{self.digest}{episode.digest}".encode()).hexdigest()[:16]
        if episode.broken:
            self.failed.append(episode)


def run(
    seed: str,
    requests: int,
    fittings: Fittings = AS_SHIPPED,
    *,
    stop_at_first: bool = False,
    on_episode: Callable[[Episode], None] = lambda episode: None,
) -> Tally:
    """At least so many requests, in episodes ``seed.0``, ``seed.1`` …"""
    tally = Tally()
    number = 0
    gc.freeze()  # what is there already need not be gone through after every episode
    try:
        while tally.requests < requests and not (stop_at_first and tally.failed):
            episode = play(f"{seed}.{number}", min(REQUESTS, requests - tally.requests), fittings)
            gc.collect()
            tally.add(episode)
            on_episode(episode)
            number += 1
    finally:
        gc.unfreeze()
    return tally


def told(episode: Episode) -> str:
    """What is wrong with an episode, and how to see it again."""
    lines = [f"  {broken}" for broken in episode.broken[:10]]
    if len(episode.broken) > 10:
        lines.append(f"  and {len(episode.broken) - 10} more")
    again = f"python -m pennyworth.simulation --episode {episode.seed} --requests {episode.wishes}"
    return "\n".join([f"episode {episode.seed} broke {len(episode.broken)} laws; again by: {again}", *lines])
