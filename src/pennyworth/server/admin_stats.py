"""The figures of the admin port: from the ledger, which is the truth about money, and from the workers, which is now.

Both have the same names and shape, so that one can be laid beside the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.config.amounts import show_switch
from pennyworth.config.schema_routing import LAYERS
from pennyworth.decide.switches import effective
from pennyworth.engine.counters import Counters
from pennyworth.money import Money
from pennyworth.outcome import Totals
from pennyworth.plan import Plan
from pennyworth.ports import StoreUsage
from pennyworth.server.admin_drift import drift
from pennyworth.server.admin_json import iso, money
from pennyworth.server.figures import figures
from pennyworth.server.snapshot import Overview, Snapshot
from pennyworth.view import Control


def counted(counters: Counters) -> Totals:
    """The counters in the ledger's words."""
    served: dict[str, int] = {}
    endings: dict[str, int] = {}
    for name, number in counters.requests.items():
        by, _, ending = name.partition("/")
        served[by] = served.get(by, 0) + number
        endings[ending] = endings.get(ending, 0) + number
    return Totals(
        requests=sum(served.values()),
        served=served,
        endings=endings,
        upstream_calls=sum(counters.upstream_calls.values()),
        input_tokens=counters.input_tokens,
        output_tokens=counters.output_tokens,
        cached_tokens=counters.cached_tokens,
        spent=Money(counters.spent),
        would_have_cost=Money(counters.would_have_cost),
        saved={layer: Money(pico) for layer, pico in counters.saved.items() if pico},
        own=Money(counters.own),
        estimated_requests=counters.estimated,
        unpriced_requests=counters.unpriced,
    )


def stats(
    totals: Totals, window: Mapping[str, object], overview: Overview, plan: Plan, control: Control
) -> dict[str, object]:
    """Everything about the cache on one page. ``totals``: of the ledger, over ``window``."""
    return {
        "ledger": {**window, **figures(totals)},
        "process": _process(overview),
        "store": _store(overview),
        "control": position(plan, control),
        "workers": [worker(snapshot) for snapshot in overview.workers],
        "silent_workers": list(overview.silent),
        "worker_restarts": overview.restarts,
        "price_warnings": list(overview.price_warnings),
    }


def worker(snapshot: Snapshot) -> dict[str, object]:
    return {
        "worker": snapshot.worker,
        "pid": snapshot.pid,
        "plan": snapshot.plan,
        "uptime_s": round(snapshot.uptime_s, 3),
        "rss_bytes": snapshot.rss_bytes,
        "in_flight": snapshot.in_flight,
        "upstream_calls_in_flight": snapshot.calls,
        "draining": snapshot.draining,
        "enabled": snapshot.enabled,
        "control_version": snapshot.control_version,
        "keys_version": snapshot.keys_version,
    }


def position(plan: Plan, control: Control) -> dict[str, object]:
    """The kill switch and the switches now in force; ``configured_enabled`` is the word of the configuration."""
    return {
        "version": control.version,
        "enabled": plan.enabled and control.enabled,
        "configured_enabled": plan.enabled,
        "epoch": control.epoch,
        "switches": {
            route.name: {layer: show_switch(effective(layer, route, plan, control)) for layer in LAYERS}
            for route in plan.routes
        },
        "overrides": {where: show_switch(switch) for where, switch in control.switches.items()},
    }


def _process(overview: Overview) -> dict[str, object]:
    counters = overview.counters
    return {
        "since": iso(overview.since_s),
        "since_s": overview.since_s,
        **figures(counted(counters)),
        "in_flight": sum(snapshot.in_flight for snapshot in overview.workers),
        "kept": counters.kept,
        "not_kept": counters.not_kept,
        "bypassed_sampled": {
            "requests": counters.bypass_repeats,
            "would_have_saved": money(Money(counters.bypass_would_have)),
        },
        "troubles": counters.troubles,
        "drift": drift(counters),
    }


def _store(overview: Overview) -> dict[str, object]:
    """The figures of the store the workers share; of their memory, where there is no other."""
    usage = overview.shared or overview.near
    trouble = next((s.store_trouble for s in overview.workers if s.store_trouble), "")
    return {**_usage(usage), "memory": _usage(overview.near), "trouble": trouble}


def _usage(usage: StoreUsage) -> dict[str, object]:
    return {
        "entries": usage.entries,
        "max_entries": usage.max_entries,
        "bytes": usage.bytes,
        "max_bytes": usage.max_bytes,
        "evictions": usage.evictions,
    }
