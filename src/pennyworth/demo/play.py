"""The demo from beginning to end: two servers, one application, and both books when all is over."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from pennyworth.decide.lifetime import compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.demo import questions as shipped
from pennyworth.demo.ceiling import ceiling
from pennyworth.demo.clients import Clients
from pennyworth.demo.faults import RULES
from pennyworth.demo.gateway import Gateway
from pennyworth.demo.heard import Reply, with_receipts
from pennyworth.demo.questions import MODELS
from pennyworth.demo.reconcile import reconcile
from pennyworth.demo.result import (
    Result,
    Settings,
    failed,
    gateway_waits,
    ledger_differences,
    served,
    waits,
)
from pennyworth.demo.stream import Asking, make
from pennyworth.demo.task import Task
from pennyworth.errors import ConfigError
from pennyworth.outcome import Receipt, Totals
from pennyworth.plan import Plan
from pennyworth.sandbox import BillLine, Latency, SandboxServer, random_prices
from pennyworth.sandbox import Settings as Provider
from pennyworth.state_dir import open_folder, open_ledger

Tell = Callable[[Reply], None]

PACE = Latency(first_token_s=0.15, tokens_per_s=1500.0, jitter=0.5)
"""Faster than real providers, so that the demo does not take long; slow enough that requests overlap."""


WORDS = (4, 10)
"""In an answer. Short, because reading a stream costs the SDK half a millisecond of processor time an event."""


STATE, BILL = "state", "bill.jsonl"
"""Under the directory where the books are kept: the gateway's, and the provider's."""


class Run(msgspec.Struct, frozen=True):
    """What is left when the servers are down."""

    replies: list[Reply]
    bill: list[BillLine]
    receipts: list[Receipt]
    totals: Totals
    gateway_status: int | None


def play(settings: Settings, tell: Tell) -> Result:
    """Runs the demo. ``tell`` is called after each request, in this thread."""
    began = time.perf_counter()
    questions = shipped.load()
    stream = make(questions, settings.requests, settings.seed)
    prices = random_prices(settings.seed, MODELS)
    with _folder(settings.keep) as folder:
        run = _run(settings, folder, stream, prices, tell)
    heard = with_receipts(stream, run.replies, {receipt.id: receipt for receipt in run.receipts})
    books = reconcile(run.receipts, run.bill)
    rules = compile_rules(DEFAULT_LIFETIMES, "other")
    return Result(
        settings=settings,
        questions=len(questions),
        prices=prices,
        served=served(heard),
        failed=failed(heard),
        receipts=len(run.receipts),
        retries=sum(reply.retries for reply in run.replies),
        limited=sum(reply.finish == "length" for reply in run.replies),
        ceiling=ceiling(heard, rules),
        saved_by_layer=run.totals.saved,
        client=waits(heard),
        gateway=gateway_waits(run.receipts),
        reconciliation=books,
        wrong=tuple(each.wrong for each in heard if each.wrong),
        ledger=tuple(ledger_differences(run.totals, run.receipts, books)),
        gateway_status=run.gateway_status,
        seconds=round(time.perf_counter() - began, 1),
        state_dir=str(Path(settings.keep) / STATE) if settings.keep else "",
    )


def _run(
    settings: Settings,
    folder: Path,
    stream: list[Asking],
    prices: dict[str, dict[str, str]],
    tell: Tell,
) -> Run:
    provider = Provider(
        prices=prices, seed=settings.seed, latency=PACE, rules=RULES, prompt_faults=False, answer_words=WORDS
    )
    key, provider_key = f"demo-{secrets.token_hex(12)}", f"demo-{secrets.token_hex(12)}"
    with Clients(folder) as clients, SandboxServer(provider, process=True) as sandbox:
        gateway = Gateway(folder, sandbox.base_url, provider_key, key, prices)
        with gateway as base_url:
            task = Task(base_url=base_url, key=key, provider_key=provider_key, at_once=settings.at_once, askings=stream)
            replies = clients.ask_all(task, tell)
        bill = list(sandbox.control.bill())
    (folder / BILL).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in bill))
    receipts, totals = books_in(folder / STATE)
    return Run(replies, bill, receipts, totals, gateway.status)


def books_in(state_dir: Path) -> tuple[list[Receipt], Totals]:
    """As anybody can read them once the gateway is gone."""
    plan = Plan(providers=(), state_dir=str(state_dir))
    with closing(open_ledger(plan)) as ledger:
        open_folder(plan, ledger, lambda _part, _what: None).flush()
        return list(ledger.receipts(10**9)), ledger.totals(0.0, float("inf"))[""]


@contextmanager
def _folder(keep: str) -> Iterator[Path]:
    if not keep:
        with tempfile.TemporaryDirectory(prefix="pennyworth-demo-") as name:
            yield Path(name)
        return
    path = Path(keep).absolute()
    if (path / STATE).exists():
        raise ConfigError("--keep", f"{str(path)!r} holds the books of an earlier run", "Name a new directory.")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield path
