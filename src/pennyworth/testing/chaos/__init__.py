"""A TCP proxy that misbehaves on purpose: put it before any server and see what its clients make of a bad line.

    python -m pennyworth.testing.chaos --listen 127.0.0.1:9000 --to 127.0.0.1:8080 --fault delay,s=0.2 --fault cut,at=1200

In a test::

    async with ChaosProxy("127.0.0.1", port, [(Reset(at=100),), ()]) as proxy:
        ... the first connection to proxy.port is reset after 100 bytes of the reply, the second is left alone ...
    assert proxy.seen[0].ended == "reset"

It speaks no protocol: what passes are bytes. All chance comes from the seed, so that a run can be had again.
"""

from pennyworth.testing.chaos.faults import (
    BlackHole,
    Corrupt,
    Cut,
    Delay,
    Fault,
    Rate,
    Refuse,
    Reset,
    Stall,
    Swallow,
    read_fault,
)
from pennyworth.testing.chaos.line import Seen
from pennyworth.testing.chaos.proxy import ChaosProxy, Faults

__all__ = [
    "BlackHole",
    "ChaosProxy",
    "Corrupt",
    "Cut",
    "Delay",
    "Fault",
    "Faults",
    "Rate",
    "Refuse",
    "Reset",
    "Seen",
    "Stall",
    "Swallow",
    "read_fault",
]
