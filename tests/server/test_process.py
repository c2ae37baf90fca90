"""What a serving process sets for itself."""

from __future__ import annotations

import subprocess
import sys

_GROWING = """
import gc
from pennyworth.server.process import spare_the_collector

looked_at = []

def seen(phase, info):
    if phase == "start" and info["generation"] < 2:
        looked_at.append(sum(len(gc.get_objects(younger)) for younger in range(info["generation"] + 1)))

spare_the_collector()
gc.callbacks.append(seen)
kept = [[number] for number in range(1_000_000)]
gc.callbacks.clear()
print(len(looked_at), max(looked_at))
"""


def test_memory_that_grows_by_a_million_objects_is_looked_through_in_small_parts() -> None:
    """Ten thousand streams that open are 800,000 objects; the loop stands still for as long as a pass takes."""
    done = subprocess.run([sys.executable, "-c", _GROWING], capture_output=True, text=True, check=True)
    passes, most = map(int, done.stdout.split())
    assert passes > 10
    assert most <= 130_000
