"""What the machine says of a process: the CPU time and the memory of it and its children. Linux only (``/proc``).

CPU time is what other work on the machine disturbs least, so it is what we compare. The kernel's counters run in steps
of 10 ms, so measure over seconds.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

_LOOK_S = 0.25
_QUIET_S = 0.02
_LONGEST_S = 60.0


class Spent(NamedTuple):
    """CPU seconds: all of a process's tree, and the first thread of its root, where requests are served."""

    total_s: float
    first_thread_s: float


def spent(pid: int) -> Spent:
    return Spent(sum(_cpu_s(f"/proc/{each}/stat") for each in tree(pid)), _cpu_s(f"/proc/{pid}/task/{pid}/stat"))


def resident_mb(pid: int) -> float:
    """Megabytes (10^6) of memory that the tree holds now."""
    return sum(_resident(each) for each in tree(pid)) * _PAGE / 1e6


def settled(pid: int) -> Spent:
    """What was spent once background work has settled: the tree has been all but idle for half a second."""
    before = spent(pid)
    quiet = 0
    for _ in range(int(_LONGEST_S / _LOOK_S)):
        time.sleep(_LOOK_S)
        now = spent(pid)
        quiet = quiet + 1 if now.total_s - before.total_s < _QUIET_S else 0
        before = now
        if quiet == 2:
            break
    return before


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    children = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _fields(f"/proc/{name}/stat")):
            children[int(fields[1])].append(int(name))
    found = [pid]
    for each in found:
        found += children[each]
    return found


def said() -> str:
    """The machine in one line, for the head of a table."""
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{_processor()}, {os.cpu_count()} cores, load {load}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def needs_proc() -> None:
    if not Path("/proc/self/stat").exists():
        sys.exit("This measures by /proc, so it runs on Linux only.")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _cpu_s(path: str) -> float:
    fields = _fields(path)
    return (int(fields[11]) + int(fields[12])) * _TICK_S if fields else 0.0


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


def _fields(path: str) -> list[str]:
    """From the state on; the name before it may hold anything."""
    try:
        return Path(path).read_text().rpartition(")")[2].split()
    except OSError:
        return []
