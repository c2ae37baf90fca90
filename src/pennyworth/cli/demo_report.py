"""What the demo prints for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from pennyworth.cli.amounts import exact_usd, milliseconds, share, usd
from pennyworth.cli.screen import Fact, Screen, add, facts, listing, sum_of
from pennyworth.demo.faults import RATES
from pennyworth.demo.result import Result, checks
from pennyworth.demo.stream import LAW

_SHOWN_BROKEN = 4
_SHOWN_WRONG = 5


def print_result(screen: Screen, result: Result) -> None:
    out = screen.out
    out.print(facts("What was asked", _asked(result)))
    out.print()
    out.print(facts("How it was answered", _answered(result)))
    out.print()
    out.print(facts("What it cost", _cost(result)))
    out.print(_latency(result))
    out.print(facts("Replies that the provider broke off", _broken(result)))
    out.print(_proof(result))
    for problem in (*result.wrong[:_SHOWN_WRONG], *result.reconciliation.differences, *result.ledger):
        screen.err.print(f"WRONG: {problem}", style="bold red", markup=False, soft_wrap=True)
    verdict = (
        "The books balance, and every answer is right."
        if result.passed
        else "The demo FAILED: see what is WRONG above."
    )
    out.print(Text(f"{verdict} {result.seconds:.0f} s.", style="bold green" if result.passed else "bold red"))
    _next(screen, result)


def _asked(result: Result) -> Iterator[Fact]:
    yield (
        "requests",
        f"{result.settings.requests:,}",
        f"of {result.questions:,} real questions to a bank (Banking77, PolyAI, CC BY 4.0)",
    )
    yield "by", "the openai SDK", f"async and blocking, over HTTP, {result.settings.at_once} at once"
    yield "law", LAW, ""
    yield "prices", "random", f"seed {result.settings.seed}, {len(result.prices)} models"
    yield "faults", RATES, ""


def _answered(result: Result) -> Iterator[Fact]:
    requests = result.settings.requests
    books = result.reconciliation
    hits = sum(result.hits.values())
    yield (
        "from kept answers",
        f"{hits:,}",
        f"{share(hits, requests)}, of at most {share(result.ceiling.repeats, requests)} that this stream allows",
    )
    for kind, remark in (
        ("exact", "the same request"),
        ("normalised", "the same question, typed differently"),
        ("coalesced", "joined an identical request in flight"),
    ):
        yield f"  {kind}", f"{result.hits[kind]:,}", remark
    for why, number in result.ceiling.missed.items():
        yield "  no hit", f"{number:,}", why
    yield (
        "by the provider",
        f"{result.served.get('upstream', 0):,}",
        f"in {books.calls:,} calls, the failed and retried ones included",
    )
    yield (
        "without an answer",
        f"{sum(result.failed.values()):,}",
        ", ".join(f"{why}: {number}" for why, number in result.failed.items()),
    )
    yield "retries by the SDK", f"{result.retries:,}", f"{result.receipts:,} requests by the gateway's count"


def _cost(result: Result) -> Iterator[Fact]:
    books = result.reconciliation
    rate = f"{share(books.saved.pico, books.would_have_cost.pico)} saved"
    return sum_of(books.spent, result.saved_by_layer, books.would_have_cost, usd, remarks=("", rate))


def _latency(result: Result) -> Table:
    """As the SDK's caller sees it, its retries included, and as the gateway measures it."""
    columns = ("requests", "p50", "p99", "gateway p50", "gateway p99")
    table = listing("waited for", *columns, right=columns, whole=("waited for",))
    for kind in ("hits", "coalesced", "misses"):
        seen, inside = result.client[kind], result.gateway[kind]
        times = (seen.p50_ms, seen.p99_ms, inside.p50_ms, inside.p99_ms)
        add(table, kind, f"{seen.count:,}", *(milliseconds(each) if seen.count else "–" for each in times))
    return table


def _broken(result: Result) -> Iterator[Fact]:
    """What nobody can know for certain: we estimated it, the provider did not charge it."""
    books = result.reconciliation
    if not books.broken:
        yield "none", "", ""
        return
    booked = f"we booked {exact_usd(books.estimated)} by estimate, the bill says $0; compared apart"
    yield "in all", f"{len(books.broken):,}", booked
    for each in books.broken[:_SHOWN_BROKEN]:
        yield f"  {each.request_id}", exact_usd(each.estimated), each.model
    if len(books.broken) > _SHOWN_BROKEN:
        yield "  …", f"{len(books.broken) - _SHOWN_BROKEN} more", "--json lists them all"


def _proof(result: Result) -> Table:
    table = listing("", "proof", "found", whole=("",))
    for check in checks(result):
        mark = Text("ok", style="green") if check.holds else Text("WRONG", style="bold red")
        add(table, mark, check.claim, check.found)
    return table


def _next(screen: Screen, result: Result) -> None:
    if result.state_dir:
        at = f"--state-dir {result.state_dir}"
        screen.next(("these books", f"pennyworth stats {at}"), ("one request in full", f"pennyworth explain last {at}"))
        return
    screen.next(
        ("run the gateway", "make run"),
        ("ask it something", "the curl line that it prints"),
        ("point an SDK at it", 'OpenAI(base_url="http://127.0.0.1:8080/v1", api_key="any")'),
        ("see what it saved", "pennyworth stats"),
        ("look at these books", "pennyworth demo --keep DIR"),
    )
