"""Totals as the admin port and the command line show them: the same names and shape, so that one can be laid beside the other."""

from __future__ import annotations

from pennyworth.outcome import Totals
from pennyworth.server.admin_json import money, plain

HITS = ("exact", "normalised", "semantic", "coalesced", "stale")
"""Where a reply comes from without a provider's call of its own."""


def figures(totals: Totals) -> dict[str, object]:
    """``hit_rate`` is over the requests that were not refused: what nobody could have served is no miss."""
    return {
        "requests": totals.requests,
        "hits": hits(totals),
        "hit_rate": hit_rate(totals),
        "upstream_calls": totals.upstream_calls,
        "endings": totals.endings,
        "spent": money(totals.spent),
        "would_have_cost": money(totals.would_have_cost),
        "saved": money(totals.would_have_cost - totals.spent),
        "saved_by_layer": plain(totals.saved),
        "own": money(totals.own),
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cached_tokens": totals.cached_tokens,
        "estimated_requests": totals.estimated_requests,
        "unpriced_requests": totals.unpriced_requests,
    }


def hits(totals: Totals) -> dict[str, int]:
    return {kind: totals.served.get(kind, 0) for kind in HITS}


def hit_rate(totals: Totals) -> float:
    served = totals.requests - totals.endings.get("refused", 0)
    return round(sum(hits(totals).values()) / served, 6) if served else 0.0
