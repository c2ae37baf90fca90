"""The long runs of the fault suites: every recorded stream cut at every byte, and ten thousand callers who leave."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from tests.door.running import Running, eventually, open_files, plan_for
from tests.door.test_leaving import leave_at_random
from tests.faults.cuts import Cut, WronglyWholeError, tried
from tests.wire.recorded import WHOLE, foreign_streams, rows

from pennyworth.sandbox import Latency, SandboxServer, Settings

_PORTION = 4_000
_EVERY = 7
"""Of another dialect's streams every seventh byte: none of them ever passes for a whole one."""

_AT_ONCE = 200

Say = Callable[[str], None]


def cuts(say: Say) -> list[str]:
    """Both ways of cutting; the whole collection of recordings where it is at hand, else those we ship."""
    streams = [row for row in rows("whole" if WHOLE.exists() else "shipped") if row.streamed and row.status == 200]
    foreign = foreign_streams()
    found, ends = [], Counter[str]()
    for number, row in enumerate(sorted([*streams, *foreign], key=lambda row: len(row.raw))):
        step = _EVERY if row in foreign else 1
        every = [Cut(at, hard) for at in range(0, len(row.raw) + 1, step) for hard in (True, False)]
        try:
            for start in range(0, len(every), _PORTION):
                ends += asyncio.run(tried(row, every[start : start + _PORTION]))
        except WronglyWholeError as error:
            found.append(str(error))
        if number % 20 == 0:
            say(f"{number:,} of {len(streams) + len(foreign):,} streams, {ends.total():,} cuts")
    print(f"{ends.total():,} cuts of {len(streams) + len(foreign)} streams: " + _counted(ends))
    return found


def leavers(number: int, say: Say) -> list[str]:
    """Callers who leave at random; what was left behind, in words."""
    found = []
    pace = Latency(first_token_s=0.01, tokens_per_s=500.0)
    with (
        SandboxServer(Settings(seed=2, latency=pace), process=True) as sandbox,
        Running(plan_for(sandbox.base_url)) as gateway,
    ):
        asyncio.run(leave_at_random(gateway, [f"warm {turn}" for turn in range(200)], _AT_ONCE))
        eventually(lambda: gateway.flights() == 0 and gateway.connections() == 0)
        tasks, files, before = gateway.tasks(), open_files(), len(gateway.receipts())
        for start in range(0, number, 1_000):
            asyncio.run(leave_at_random(gateway, [f"leaver {start + turn}" for turn in range(1_000)], _AT_ONCE))
            began = time.monotonic()
            if not eventually(lambda: gateway.flights() == 0, 5.0):
                found.append(f"{gateway.flights()} calls were still under way after their callers had left")
            say(f"{start + 1_000:,} callers; the last call was closed after {time.monotonic() - began:.2f} s")
        eventually(lambda: gateway.connections() == 0 and gateway.tasks() <= tasks)
        receipts = gateway.receipts()[before:]
        endings = Counter(receipt.ending for receipt in receipts)
        if gateway.tasks() > tasks:
            found.append(f"{gateway.tasks() - tasks} tasks were left behind")
        if open_files() > files + _AT_ONCE:
            found.append(f"{open_files() - files} files were left open")
        if len(receipts) != number or not set(endings) <= {"caller_left", "complete"}:
            found.append(f"{number:,} callers, and the books say {_counted(endings)}")
        if any(not receipt.spent for receipt in receipts if receipt.ending == "caller_left" and receipt.attempts):
            found.append("a call whose caller left cost nothing by the books")
        found += gateway.troubles + gateway.logged.lines
    print(f"{number:,} callers who left at random: " + _counted(endings))
    return found


def _counted(ends: Counter[str]) -> str:
    return ", ".join(f"{number:,} {end}" for end, number in ends.most_common())
