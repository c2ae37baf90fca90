"""``pennyworth stats``: totals from the books of a state directory."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from pennyworth.cli.amounts import moment, share, usd
from pennyworth.cli.books import open_books
from pennyworth.cli.exits import FAILED, OK
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, Window, plan_at, same_books, since_of
from pennyworth.cli.screen import Fact, Screen, add, facts, listing, print_json, sum_of
from pennyworth.ledgers.balance import balances
from pennyworth.outcome import Receipt, Totals
from pennyworth.server.figures import figures, hit_rate, hits

_NEWEST = 1000
"""Receipts in which signs of drift are looked for: the newest, however long the window."""
_SHOWN = 5
_FIGURE = re.compile(r"\d+\.\d+")

By = Literal["model", "scope", "served", "route", "client", "team", "day", "hour"]


def stats(
    *,
    window: Window = "all",
    by: Annotated[By | None, Parameter(help="One row for each of these.")] = None,
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """What was asked, answered, spent and saved.

    Reads the books themselves, so it works with and without a running gateway.
    Ends with 1 if spent and saved do not add up to what it would have cost.

    For example:

        pennyworth stats
        pennyworth stats --window 24h --by model
        pennyworth stats --json | jq .saved.usd
    """
    screen = Screen()
    plan = plan_at(config, state_dir)
    since_s = since_of(window, time.time())
    with open_books(plan, screen) as ledger:
        whole = ledger.totals(since_s, float("inf"))[""]
        groups = ledger.totals(since_s, float("inf"), by) if by else {}
        drifts = Counter(note for each in ledger.receipts(_NEWEST) if each.at_s >= since_s for note in _drifts(each))
    balanced = balances(whole)
    if as_json:
        apart = {"by": by, "groups": {name: figures(each) for name, each in sorted(groups.items())}} if by else {}
        seen = {"drift": dict(drifts.most_common())}
        print_json({"window": window, "since_s": since_s, "balanced": balanced, **figures(whole), **apart, **seen})
    else:
        title = f"{plan.state_dir}, " + (f"since {moment(since_s)}" if since_s else "since the first receipt")
        screen.out.print(facts(title, summary(whole)))
        if by:
            screen.out.print(by_group(groups, by))
        for said, number in drifts.most_common(_SHOWN):
            screen.warn(f"Drift on {number:,} of the newest receipts: {said}. See docs/providers.md.")
        at = same_books(config, state_dir)
        screen.next(
            ("the newest requests", f"pennyworth receipts{at}"), ("the last in full", f"pennyworth explain last{at}")
        )
    return OK if balanced else FAILED


def _drifts(receipt: Receipt) -> list[str]:
    """What the receipt notes of a provider's own word, without its figures: they change from reply to reply."""
    notes = (note.removeprefix("drift: ") for note in receipt.notes if note.startswith("drift: "))
    return [_FIGURE.sub("…", note) if " counts " in note else note for note in notes]


def summary(totals: Totals) -> Iterator[Fact]:
    """The figures of a window."""
    yield "requests", f"{totals.requests:,}", _endings(totals)
    yield "answered from kept answers", f"{sum(hits(totals).values()):,}", _hits(totals)
    yield "calls to providers", f"{totals.upstream_calls:,}", ""
    cached = f"{totals.cached_tokens:,} of them from the provider's prompt cache" if totals.cached_tokens else ""
    yield "tokens in", f"{totals.input_tokens:,}", cached
    yield "tokens out", f"{totals.output_tokens:,}", ""
    yield from _sum(totals)
    if totals.estimated_requests:
        yield "estimated", f"{totals.estimated_requests:,}", "requests whose tokens no provider counted"
    if totals.unpriced_requests:
        yield "unpriced", f"{totals.unpriced_requests:,}", "requests of models without a price: no saving is claimed"


def _sum(totals: Totals) -> Iterator[Fact]:
    own = f"own work {usd(totals.own)}" if totals.own else ""
    saved = totals.would_have_cost - totals.spent
    rate = f"{share(saved.pico, totals.would_have_cost.pico)} saved"
    yield from sum_of(totals.spent, totals.saved, totals.would_have_cost, usd, remarks=(own, rate))
    if not balances(totals):
        yield "UNBALANCED", "spent and saved do not add up to it", "please report this"


def by_group(groups: Mapping[str, Totals], by: str) -> Table:
    money = ("spent", "saved", "would have cost")
    table = listing(by, "requests", "hits", "calls", *money, right=("requests", "hits", "calls", *money))
    for name, totals in sorted(groups.items()):
        saved = totals.would_have_cost - totals.spent
        counts = (f"{totals.requests:,}", f"{100 * hit_rate(totals):.1f} %", f"{totals.upstream_calls:,}")
        add(table, name or "–", *counts, usd(totals.spent), usd(saved), usd(totals.would_have_cost))
    return table


def _hits(totals: Totals) -> str:
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in hits(totals).items() if number)
    return f"{100 * hit_rate(totals):.1f} %" + (f": {kinds}" if kinds else "")


def _endings(totals: Totals) -> str:
    return ", ".join(
        f"{ending} {number:,}" for ending, number in sorted(totals.endings.items()) if ending != "complete"
    )
