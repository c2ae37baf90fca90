"""What a serving process sets for itself once, when everything is loaded."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

try:
    import uvloop
except ImportError:  # not on Windows
    new_event_loop = None
else:
    new_event_loop = uvloop.new_event_loop


def new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop a server runs in: uvloop's, where there is one."""
    return new_event_loop


def accepts_one_a_turn(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop's own servers let in no more than one connection a turn: uvloop's. asyncio's let in all."""
    return new_event_loop is not None and isinstance(loop, uvloop.Loop)


def spare_the_collector() -> None:
    """Takes what is loaded out of the cyclic collector's sight, and lets it look less often.

    The modules and price book are some 79,000 objects (``gc.get_freeze_count``) that live as long as the process, and
    values on the path hold no cycles: by the default thresholds the collector took 8 % of the CPU under load (perf,
    misses at 32 connections).

    A pass over the young ones sees some 100,000 objects, 40 ms. With 20 instead of 4 it saw 400,000 as ten thousand
    streams opened, and the loop stood still for 200 ms. All are looked through as rarely as before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 4, 250)
