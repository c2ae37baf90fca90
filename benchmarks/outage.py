"""A provider goes down, falls silent, hangs up or flaps: what reaches it, what the callers meet with, with and without
another to fall back on.

Callers come at a steady rate. First all is well, then comes the outage, then all is well again.
"""

from __future__ import annotations

import sys
import urllib.request

import msgspec

from benchmarks import machine
from benchmarks.open_loop import Course, Met
from benchmarks.overload import percentile
from benchmarks.programs import Served, bench
from benchmarks.sheet import Cell, Sheet

RATE = 100.0
TAKES_S = 0.05
TIMEOUT = "2s"
MOODS = ("down", "silent", "closing", "flapping")
MOST_CALLS = 1.1


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was met with during the outage and after it, and the calls that reached the provider meanwhile."""

    during: list[Met]
    after: list[Met]
    calls: int


def run(*, seconds: float = 20.0, moods: tuple[str, ...] = MOODS) -> Sheet:
    """The bench."""
    machine.needs_proc()
    rows = [_row(mood, chain, _outage(mood, chain, seconds), seconds) for mood in moods for chain in (False, True)]
    return Sheet(
        name="outage",
        title="Outages: a provider that is down, silent, hanging up or flapping",
        method=f"{RATE:g} requests/s, never the same; {TAKES_S * 1000:g} ms a call; the outage lasts {seconds:g} s, total_timeout is "
        f"{TIMEOUT}, all else as it comes; one worker. In brackets: with a fallback.",
        rows=rows,
        notes=(f"Required: at most {MOST_CALLS:g} calls to the provider for each request of the outage.",),
    )


def _outage(mood: str, chain: bool, seconds: float) -> Seen:
    with bench() as programs:
        moody = [sys.executable, "-m", "benchmarks.moody_provider", "--takes", str(TAKES_S)]
        provider, spare = programs.listening(*moody), programs.listening(*moody)
        more = f'[providers.spare]\nbase_url = "http://127.0.0.1:{spare.port}/v1"\nmodels = ["spare-*"]\nprice_provider = "openai"\n'
        more += '[[routes]]\nname = "all"\nmodels = ["*"]\nfallbacks = ["spare/gpt-4o-mini"]\n' if chain else ""
        config = programs.config(
            programs.folder / "state", provider=provider.port, its=f'total_timeout = "{TIMEOUT}"', more=more
        )
        with programs.gateway(config) as gateway:
            paced = programs.paced()
            paced.run(Course(port=gateway.port, salt="well", phases=[(RATE, seconds / 5)]))
            _set(provider, mood)
            before = _count(provider)
            during = paced.run(Course(port=gateway.port, salt="outage", phases=[(RATE, seconds)]))
            calls = _count(provider) - before
            _set(provider, "well")
            after = paced.run(Course(port=gateway.port, salt="after", phases=[(RATE, seconds / 2)]))
    return Seen(during=during, after=after, calls=calls)


def _row(mood: str, chain: bool, seen: Seen, seconds: float) -> dict[str, Cell]:
    during = sorted(seen.during, key=lambda one: one.at_s)
    served = [one for one in during if one.status == 200]
    failed = [one for one in during if one.status != 200]
    fallen = [one.at_s + one.took_ms / 1000 for one in during if one.fell_back]
    bad_after = [one.at_s for one in seen.after if one.status != 200 or one.fell_back]
    return {
        "provider": f"{mood} ({'fallback' if chain else 'alone'})",
        "requests": len(during),
        "calls per request": seen.calls / len(during),
        "errors, %": 100.0 * len(failed) / len(during),
        "no answer": sum(one.status == 0 for one in during),
        "first fallback after s": min(fallen) if fallen else None,
        "served p50 ms": percentile([one.took_ms for one in served], 50) if served else None,
        "p99": percentile([one.took_ms for one in served], 99) if served else None,
        "failed p50 ms": percentile([one.took_ms for one in failed], 50) if failed else None,
        "p99 ": percentile([one.took_ms for one in failed], 99) if failed else None,
        "asked again as usual after s": max(bad_after, default=0.0),
    }


def _set(provider: Served, mood: str) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{provider.port}/mood/{mood}").read()


def _count(provider: Served) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{provider.port}/count") as reply:
        return int(reply.read())
