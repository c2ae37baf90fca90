"""Ten thousand streams open at once: what each costs in memory, and does the admin port answer meanwhile?

Every stream has a question of its own and gets a word every five seconds. A process may have 20,000 files open here, and a
stream takes two, so the gateway runs two workers; callers come from eight addresses, since each has only so many ports.
The provider speaks chat completions; where callers speak messages, each stream is translated as it passes.
"""

from __future__ import annotations

import socket
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from subprocess import Popen
from typing import IO

import msgspec

from benchmarks import machine
from benchmarks.held_callers import Told
from benchmarks.programs import Served, bench
from benchmarks.sheet import Cell, Sheet
from pennyworth.request import Dialect

REQUIRED_KB = 60.0
AIM_KB = 40.0
ADMIN_MS = 250.0

_WORKERS = 2
_SETTLED_S = 1.0


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen while so many streams were open."""

    streams: int
    dialect: Dialect
    opened: Told
    ended: Told
    rss_before_mb: float
    rss_mb: float
    rss_after_mb: float
    cpu_share: float
    admin_ms: list[float]

    @property
    def kb_each(self) -> float:
        return (self.rss_mb - self.rss_before_mb) * 1000 / self.streams


def held(streams: int, seconds: float, dialect: Dialect = "chat") -> Held:
    """Opens them, holds them so long, lets them end."""
    with bench() as programs:
        provider = programs.listening(sys.executable, "-m", "benchmarks.held_provider")
        admin = _free_port()
        config = programs.config(
            programs.folder / "state",
            provider=provider.port,
            workers=_WORKERS,
            admin=admin,
            more="[limits]\nmax_in_flight = 20000",
        )
        with programs.gateway(config) as gateway:
            place = _Place(programs.start, gateway, provider, admin, dialect)
            _hold(place, 100, 0.0)  # what is made once is no stream's
            return _hold(place, streams, seconds)


class _Place(msgspec.Struct, frozen=True):
    """Where streams are held, by callers of this dialect."""

    start: Callable[..., Popen[bytes]]
    gateway: Served
    provider: Served
    admin: int
    dialect: Dialect


def _hold(place: _Place, streams: int, seconds: float) -> Held:
    gateway, admin = place.gateway, place.admin
    time.sleep(_SETTLED_S)
    before = machine.resident_mb(gateway.pid)
    asking = ("-m", "benchmarks.held_callers", str(gateway.port), str(streams), place.dialect)
    callers = place.start(sys.executable, *asking)
    opened = _told(callers.stdout)
    began, spent = time.perf_counter(), machine.spent(gateway.pid)
    waits = [_admin_ms(admin)]
    while time.perf_counter() - began < seconds:
        time.sleep(0.5)
        waits.append(_admin_ms(admin))
    lasted = time.perf_counter() - began
    cpu = machine.spent(gateway.pid).total_s - spent.total_s
    during = machine.resident_mb(gateway.pid)
    urllib.request.urlopen(f"http://127.0.0.1:{place.provider.port}/finish").read()
    ended = _told(callers.stdout)
    callers.wait(60)
    time.sleep(_SETTLED_S)
    return Held(
        streams=streams,
        dialect=place.dialect,
        opened=opened,
        ended=ended,
        rss_before_mb=before,
        rss_mb=during,
        rss_after_mb=machine.resident_mb(gateway.pid),
        cpu_share=cpu / max(lasted, 0.001),
        admin_ms=waits,
    )


def run(*, counts: tuple[int, ...] = (1_000, 10_000), seconds: float = 30.0) -> Sheet:
    """The bench."""
    machine.needs_proc()
    found = [held(count, seconds) for count in counts]
    found.append(held(counts[-1], seconds, "messages"))
    dropped = " ".join(one.ended.first_bad[:200] for one in found if one.ended.dropped)
    return Sheet(
        name="streams",
        title="Open streams",
        method=f"{_WORKERS} workers, everything on; each stream asks something else and gets a word every 5 s, for "
        f"{seconds:g} s; then all end. Memory: the whole process tree, less what it held after 100 streams.",
        rows=[_row(one) for one in found],
        notes=(
            f"Required: at most {REQUIRED_KB:g} KB each (aim {AIM_KB:g}), 0 dropped, admin port under {ADMIN_MS:g} ms.",
            dropped,
        ),
    )


def _row(one: Held) -> dict[str, Cell]:
    return {
        "streams": f"{one.streams:,}",
        "callers speak": one.dialect,
        "KB each": one.kb_each,
        "RSS MB before": one.rss_before_mb,
        "open": one.rss_mb,
        "after": one.rss_after_mb,
        "whole": one.ended.ended,
        "dropped": one.ended.dropped,
        "opened in s": one.opened.seconds,
        "CPU while open, of a core": one.cpu_share,
        "admin ms, median": statistics.median(one.admin_ms),
        "highest": max(one.admin_ms),
    }


def _told(lines: IO[bytes] | None) -> Told:
    assert lines is not None
    return msgspec.json.decode(lines.readline(), type=Told)


def _admin_ms(port: int) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/cache/stats") as reply:
        reply.read()
    return (time.perf_counter() - began) * 1000


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
