"""The workers' counters as Prometheus text. Made anew for each scrape from one overview: there is no second count.

Amounts of money stand here in dollars and in picodollars; a Prometheus sample is a float, exact up to 2^53, so whole
books are asked of the ledger.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pennyworth import __version__
from pennyworth.decide.drift import alarms
from pennyworth.engine.counters import BUCKETS_MS, Counters, Histogram
from pennyworth.money import PICO
from pennyworth.ports import StoreUsage
from pennyworth.server.budget_rows import BudgetRow
from pennyworth.server.reload import History
from pennyworth.server.snapshot import Overview

_EDGES = [f"{edge / 1000:g}" for edge in BUCKETS_MS] + ["+Inf"]


_BY_WORKER = (
    ("in_flight", "in_flight", "Requests whose reply has not gone out whole."),
    ("upstream_calls_in_flight", "calls", "Calls to providers under way."),
    ("enabled", "enabled", "0 where the kill switch makes it a plain proxy."),
    ("control_version", "control_version", "Version of the control row in force."),
    ("keys_version", "keys_version", "Version of the virtual keys in force."),
    ("resident_memory_bytes", "rss_bytes", "Resident memory."),
    ("uptime_seconds", "uptime_s", "Since the worker started."),
)
_BY_TARGET = (
    ("under_way", "Calls under way."),
    ("waiting", "Calls that wait for room."),
    ("limit", "Calls at once, as learnt or configured; 0 while no limit is known."),
    ("resting_s", "Seconds until a target that is left alone is tried again."),
    ("requests_left", "Requests the provider's rate limit still allows, as it last said."),
    ("tokens_left", "Tokens the provider's rate limit still allows, as it last said."),
)
_MOST_BUDGETS = 200
_KINDS = {"pico": "budget", "requests": "requests", "tokens": "tokens"}
_Samples = Mapping[tuple[str, ...], float]


def render(overview: Overview, reloads: History, accept: str, budgets: Sequence[BudgetRow] = ()) -> tuple[bytes, str]:
    """The text, in the format the scraper asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(overview, reloads, budgets))
    return encode(registry), content_type


class _Scrape(Collector):
    def __init__(self, overview: Overview, reloads: History, budgets: Sequence[BudgetRow]) -> None:
        self._overview = overview
        self._reloads = reloads
        self._budgets = budgets

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        overview = self._overview
        yield from _requests(overview.counters)
        yield from _money(overview.counters)
        yield from _keeping(overview.counters)
        yield from _allowances(overview.counters, self._budgets)
        yield from _stores(overview)
        yield from _targets(overview)
        yield from _drift(overview.counters)
        yield from _workers(overview)
        yield from _build(overview)
        yield from _reloaded(self._reloads)


def _requests(counters: Counters) -> Iterator[Metric]:
    yield _counter(
        "requests",
        "Requests by where the reply came from and how it ended.",
        ("served", "ending"),
        {tuple(name.split("/", 1)): number for name, number in counters.requests.items()},
    )
    yield _histogram("request_seconds", "Time to the end of the reply.", "served", counters.latency)
    yield _histogram("first_byte_seconds", "Time to the provider's first byte.", "", {"": counters.first_byte})
    yield _counter(
        "upstream_calls",
        "Calls to providers; status 0 is a road that failed.",
        ("target", "status"),
        {tuple(name.rsplit("/", 1)): number for name, number in counters.upstream_calls.items()},
    )
    yield _counter(
        "tokens",
        "Tokens of the replies given; cached is the part of input a provider had cached.",
        ("kind",),
        {
            ("input",): counters.input_tokens,
            ("output",): counters.output_tokens,
            ("cached",): counters.cached_tokens,
        },
    )
    yield _counter(
        "troubles",
        "What of our own failed, by part; requests were served all the same.",
        ("part",),
        {(part,): number for part, number in counters.troubles.items()},
    )


def _money(counters: Counters) -> Iterator[Metric]:
    amounts = (
        ("spent", "Spent, own costs included.", counters.spent),
        ("would_have_cost", "What the models asked for would have cost directly.", counters.would_have_cost),
        ("own_cost", "What our own work cost.", counters.own),
    )
    for name, said, pico in amounts:
        yield _counter(f"{name}_usd", f"{said} In dollars.", (), {(): pico / PICO})
        yield _counter(f"{name}_picodollars", f"{said} In picodollars.", (), {(): pico})
    saved: _Samples = {(layer,): pico for layer, pico in counters.saved.items()}
    doc = "Saved by layer; a layer may cost more than it saves."
    yield _gauge("saved_usd", f"{doc} In dollars.", ("layer",), {key: pico / PICO for key, pico in saved.items()})
    yield _gauge("saved_picodollars", f"{doc} In picodollars.", ("layer",), saved)
    yield _counter("estimated_requests", "Requests whose cost rests on an estimate.", (), {(): counters.estimated})
    yield _counter("unpriced_requests", "Requests to models without a price.", (), {(): counters.unpriced})


def _keeping(counters: Counters) -> Iterator[Metric]:
    yield _counter("kept", "Replies kept.", (), {(): counters.kept})
    yield _counter(
        "not_kept",
        "Replies not kept, by reason.",
        ("reason",),
        {(reason,): number for reason, number in counters.not_kept.items()},
    )
    yield _counter(
        "bypassed_sampled",
        "Sampled requests not looked up that repeat a kept question.",
        (),
        {(): counters.bypass_repeats},
    )
    yield _counter(
        "bypassed_sampled_would_have_saved_usd",
        "What looking them up would have saved, in dollars.",
        (),
        {(): counters.bypass_would_have / PICO},
    )


def _allowances(counters: Counters, budgets: Sequence[BudgetRow]) -> Iterator[Metric]:
    yield _counter(
        "beyond_limits",
        "Requests beyond a limit: of what, and what became of them.",
        ("limit", "action"),
        {tuple(name.split("/", 1)): number for name, number in counters.limited.items()},
    )
    fullest = sorted(budgets, key=lambda row: -row.share)[:_MOST_BUDGETS]
    yield _gauge(
        "limit_used_ratio",
        f"Used of a budget or rate in its present window, leases of workers not counted; the {_MOST_BUDGETS} fullest.",
        ("subject", "limit", "period"),
        {(row.limit.subject, _KINDS[row.limit.unit], row.limit.period): row.share for row in fullest},
    )
    yield _counter("alerts", "Alerts raised, by kind.", ("kind",), {(kind,): n for kind, n in counters.alerts.items()})
    yield _counter(
        "recovered_leases", "Dead workers whose leases were settled by the books.", (), {(): counters.recovered}
    )


def _stores(overview: Overview) -> Iterator[Metric]:
    tiers = {"memory": overview.near} | ({"shared": overview.shared} if overview.shared else {})
    help_of = {
        "entries": "Keys held; memory is that of all workers together, shared the store they have in common.",
        "max_entries": "The most keys it may hold.",
        "bytes": "Bytes used.",
        "max_bytes": "The most bytes it may use.",
    }
    for field, said in help_of.items():
        yield _gauge(f"store_{field}", said, ("tier",), _by_tier(tiers, field))
    yield _counter(
        "store_evictions", "Keys evicted to keep within the limits.", ("tier",), _by_tier(tiers, "evictions")
    )
    yield _gauge(
        "store_trouble",
        "1 while a worker leaves the shared store alone or cannot write it.",
        ("worker",),
        {(snapshot.worker,): bool(snapshot.store_trouble) for snapshot in overview.workers},
    )


def _targets(overview: Overview) -> Iterator[Metric]:
    counters, targets = overview.counters, overview.targets
    yield _counter(
        "upstream_more_calls",
        "Calls beyond the first of a request: retry, fallback, hedge.",
        ("why", "target"),
        {tuple(name.split("/", 1)): number for name, number in counters.more_calls.items()},
    )
    yield _counter(
        "turned_away",
        "Requests that were not sent to a target: it had no room, or was left alone.",
        ("how", "target"),
        {tuple(name.split("/", 1)): number for name, number in counters.turned_away.items()},
    )
    for field, said in _BY_TARGET:
        found = ((health.target, getattr(health, field)) for health in targets)
        yield _gauge(f"target_{field}", said, ("target",), {(name,): n for name, n in found if n is not None})
    states: _Samples = {(health.target, health.state): 1 for health in targets}
    yield _gauge(
        "target_state", "1 for the state a target is in: well, held, exhausted, failing.", ("target", "state"), states
    )


def _drift(counters: Counters) -> Iterator[Metric]:
    tallies = counters.drift
    yield _counter(
        "drift_other_model",
        "Replies by another model than was asked, as the provider itself says.",
        ("target",),
        {(target,): tally.wrong for target, tally in tallies.items()},
    )
    lines = {(target, "input"): tally.prompt for target, tally in tallies.items()}
    lines |= {(target, "output"): tally.answer for target, tally in tallies.items()}
    yield _gauge(
        "drift_tokens_ratio",
        "Tokens the provider counted lately, over what its first replies let us expect of the same texts.",
        ("target", "kind"),
        {labels: line.ratio for labels, line in lines.items() if line.recent},
    )
    yield _gauge(
        "drift_alarms",
        "What is odd about a target's own figures; the statistics say what.",
        ("target",),
        {(target,): len(alarms(tally)) for target, tally in tallies.items()},
    )


def _workers(overview: Overview) -> Iterator[Metric]:
    for name, field, said in _BY_WORKER:
        samples: _Samples = {(snapshot.worker,): getattr(snapshot, field) for snapshot in overview.workers}
        yield _gauge(name, said, ("worker",), samples)
    yield _gauge("workers", "Workers that answered this scrape.", (), {(): len(overview.workers)})
    yield _gauge("silent_workers", "Workers that did not.", (), {(): len(overview.silent)})
    yield _counter("worker_restarts", "Workers started again after their death.", (), {(): overview.restarts})


def _build(overview: Overview) -> Iterator[Metric]:
    yield _gauge(
        "price_book_warnings",
        "Above 0: prices are old or in doubt; the statistics say why.",
        (),
        {(): len(overview.price_warnings)},
    )
    plans = sorted({snapshot.plan for snapshot in overview.workers}) or [""]
    yield _gauge(
        "build_info",
        "1, with what is running.",
        ("version", "plan", "python"),
        {(__version__, plan, platform.python_version()): 1 for plan in plans},
    )


def _reloaded(reloads: History) -> Iterator[Metric]:
    yield _counter(
        "reloads",
        "Times the configuration was read again; refused: the old one stayed.",
        ("outcome",),
        {("applied",): reloads.applied, ("refused",): reloads.refused},
    )
    yield _gauge(
        "plan_applied_seconds", "When the configuration in force was applied (Unix time).", (), {(): reloads.applied_s}
    )


def _counter(name: str, said: str, labels: tuple[str, ...], samples: _Samples) -> Metric:
    family = CounterMetricFamily(f"pennyworth_{name}", said, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def _gauge(name: str, said: str, labels: tuple[str, ...], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(f"pennyworth_{name}", said, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def _histogram(name: str, said: str, label: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(f"pennyworth_{name}", said, labels=(label,) if label else ())
    for value, histogram in histograms.items():
        family.add_metric((value,) if label else (), list(_cumulative(histogram)), histogram.sum_ms / 1000)
    return family


def _cumulative(histogram: Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for edge, count in zip(_EDGES, histogram.counts, strict=True):
        total += count
        yield edge, total


def _by_tier(tiers: Mapping[str, StoreUsage], field: str) -> _Samples:
    return {(tier,): getattr(usage, field) for tier, usage in tiers.items()}
