"""From a Plan to a running engine: with ``state_dir``, the one file that names concrete adapters.

The Runtime (stores, ledger, journal, connections, state) outlives the Plan; a state directory may be shared by the
worker processes of one machine. ``state_dir = ":memory:"`` keeps everything in this process.
"""

from __future__ import annotations

import secrets

import msgspec

from pennyworth.decide.allowance import check_currencies
from pennyworth.decide.key import Keyring
from pennyworth.decide.keys import sealer
from pennyworth.engine.accounts import Accounts
from pennyworth.engine.alerts import Alerts, Send
from pennyworth.engine.allowances import Allowances
from pennyworth.engine.background import Background
from pennyworth.engine.books import Books, new_run
from pennyworth.engine.budget_alerts import BudgetAlerts
from pennyworth.engine.clock import SystemClock
from pennyworth.engine.courier import Courier
from pennyworth.engine.engine import Engine
from pennyworth.engine.items import Items
from pennyworth.engine.keeper import Keeper
from pennyworth.engine.lessons import Lessons
from pennyworth.engine.lookup import Lookup
from pennyworth.engine.off import NoSimilar
from pennyworth.engine.once import Once
from pennyworth.engine.pilot import Pilot
from pennyworth.engine.replays import Replays
from pennyworth.engine.shelf import Shelf
from pennyworth.engine.state import State
from pennyworth.engine.tenancy import Tenancy
from pennyworth.engine.terms import Terms, make_terms
from pennyworth.engine.triage import Triage
from pennyworth.engine.waiting import Waiting
from pennyworth.forgetting import Eraser, open_eraser
from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.lives import life_of
from pennyworth.ledgers.memory import MemoryJournal, MemoryLedger
from pennyworth.plan import Plan
from pennyworth.ports import Clock, ControlRow, Idempotency, Journal, KeyBook, Ledger, PriceBook, Store, Upstream
from pennyworth.prices.genai import GenaiPrices
from pennyworth.prices.overlay import OverlayPrices
from pennyworth.quotas.memory import MemoryQuotas
from pennyworth.quotas.sqlite import SqliteQuotas
from pennyworth.state_dir import (
    JOURNAL,
    MEMORY,
    Report,
    deployment_secret,
    open_answers,
    open_control,
    open_folder,
    open_idempotency,
    open_keybook,
    open_keyring,
    open_ledger,
    open_quotas,
    state_dir,
)
from pennyworth.stores.control import MemoryControl
from pennyworth.stores.idempotency import MemoryIdempotency
from pennyworth.stores.keybook import MemoryKeyBook
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.tiered import TieredStore
from pennyworth.upstreams.http import HttpUpstream
from pennyworth.upstreams.webhook import Webhook

__all__ = [
    "MEMORY",
    "Parts",
    "Report",
    "Runtime",
    "check_budgets",
    "deployment_secret",
    "open_control",
    "open_folder",
    "open_keybook",
    "open_keyring",
    "open_ledger",
    "open_prices",
    "open_runtime",
]


class Parts(msgspec.Struct, frozen=True):
    """The adapters under an engine."""

    store: Store
    control: ControlRow
    keybook: KeyBook
    journal: Journal
    ledger: Ledger
    upstream: Upstream
    keyring: Keyring
    eraser: Eraser
    once: Idempotency
    accounts: MemoryQuotas | SqliteQuotas
    run: str
    folder: JournalFolder | None = None


class Runtime:
    """An engine with everything under it, started and closed together, inside one event loop."""

    def __init__(self, terms: Terms, parts: Parts, worker: str, report: Report, clock: Clock) -> None:
        self.parts = parts
        self.state = State(terms, parts.control.read(), clock, parts.keyring.derive("chance"), report)
        self.tenancy = Tenancy(self.state, parts.keybook, sealer(parts.keyring))
        books = Books(self.state, parts.journal, parts.keyring, worker, parts.run)
        replays = Replays(books)
        shelf = Shelf(self.state, parts.store, replays)
        items = Items(shelf, parts.keyring)
        lookup = Lookup(shelf, items)
        self.alerts = Alerts(self.state, parts.accounts, report, lambda plan: _sender(plan, parts.upstream))
        self.accounts = Accounts(self.state, parts.accounts, BudgetAlerts(self.alerts))
        allowances = Allowances(self.state, self.accounts)
        similar = NoSimilar()
        keeper = Keeper(self.state, parts.store, similar, parts.control, parts.keyring)
        courier = Courier(self.state, parts.upstream, books, allowances, Lessons(self.state, self.alerts))
        pilot = Pilot(self.state, courier, books, lookup, items, keeper)
        once = Once(self.state, parts.once, books, replays, parts.keyring)
        triage = Triage(parts.keyring)
        self.engine = Engine(self.state, triage, lookup, similar, books, keeper, pilot, replays, once, allowances)
        self.waiting = Waiting(self.state, triage, self.engine, books, allowances, lookup, keeper)
        self._background = Background(self.state, parts.control, parts.store, self.tenancy)

    def start(self) -> None:
        if self.parts.folder is not None:
            self.parts.folder.start()
        self._background.start()
        self.accounts.start()

    def prepare(self, plan: Plan) -> Terms:
        """All that another Plan needs, made beside what serves: what can be refused of it is refused here.

        Raises:
            ConfigError: an overlay or a pattern that cannot be used. Nothing has changed then.
        """
        terms = make_terms(plan, open_prices(plan), self.state.terms)
        check_budgets(plan, terms.rates.book, self.state.clock.wall_s())
        return terms

    def adopt(self, terms: Terms) -> None:
        """What begins from now on goes by these; what is under way keeps those it began with. It cannot fail."""
        self.tenancy.adopt(terms)

    async def close(self) -> None:
        """Ends what is in flight, then everything else; the journal last, so that every receipt is in it."""
        self.state.draining = True
        await self.engine.end("the gateway is shutting down")
        await self._background.stop()
        await self.accounts.close()  # while the books are open still
        await self.alerts.close()
        await self.parts.upstream.close()
        await self.parts.store.close()
        self.parts.journal.close()
        if self.parts.folder is not None:
            self.parts.folder.close()
        self.parts.once.close()
        self.parts.ledger.close()
        self.parts.control.close()
        self.parts.accounts.close()
        self.parts.keybook.close()


def open_runtime(
    plan: Plan, report: Report, *, worker: str = "w0", upstream: Upstream | None = None, clock: Clock | None = None
) -> Runtime:
    """Opens everything the Plan names. Call it in the event loop that will serve.

    Raises:
        ConfigError: the state directory cannot be used, a store is newer than this program, an overlay is wrong.
    """
    clock = clock or SystemClock()
    terms = make_terms(plan, open_prices(plan))
    check_budgets(plan, terms.rates.book, clock.wall_s())
    return Runtime(terms, _parts(plan, report, worker, upstream), worker, report, clock)


def open_prices(plan: Plan) -> PriceBook:
    """The published book, under the operator's overlay if there is one."""
    base = GenaiPrices(plan.prices.stale_after_days)
    return OverlayPrices(plan.prices.overlay, base, plan.prices.stale_after_days) if plan.prices.overlay else base


def check_budgets(plan: Plan, prices: PriceBook, now_s: float) -> None:
    """Raises ``ConfigError`` for a budget in a currency that the price book has no rate of."""
    check_currencies(plan, lambda currency: prices.exchange(currency, now_s))


def _sender(plan: Plan, upstream: Upstream) -> Send | None:
    return Webhook(upstream, plan.alert_webhook).send if plan.alert_webhook else None


def _parts(plan: Plan, report: Report, worker: str, upstream: Upstream | None) -> Parts:
    spec, run = plan.cache, new_run()
    near = MemoryStore(spec.l1_entries, spec.l1_bytes)
    if plan.state_dir == MEMORY:
        memory, once = MemoryLedger(), MemoryIdempotency()
        control, keybook = MemoryControl(), MemoryKeyBook()
        keyring = Keyring(secrets.token_bytes(32))
        return Parts(
            store=near,
            control=control,
            keybook=keybook,
            journal=MemoryJournal(memory),
            ledger=memory,
            upstream=upstream or HttpUpstream(),
            keyring=keyring,
            eraser=Eraser(keyring, (memory, once, near), memory, lambda: None),
            once=once,
            accounts=MemoryQuotas(),
            run=run,
        )
    keyring = open_keyring(plan)
    far = open_answers(plan, keyring, report)
    ledger = open_ledger(plan)
    journal = FileJournal(state_dir(plan) / JOURNAL, worker)
    folder = open_folder(plan, ledger, report, worker)
    return Parts(
        store=TieredStore(near, far, spec.slow_s),
        control=open_control(plan),
        keybook=open_keybook(plan),
        journal=journal,
        ledger=ledger,
        keyring=keyring,
        eraser=open_eraser(plan, keyring, ledger, folder),
        once=open_idempotency(plan, keyring),
        accounts=open_quotas(plan, ledger, life_of(journal.owner, run)),
        run=run,
        folder=folder,
        upstream=upstream or HttpUpstream(),  # the last: what is opened before it may be refused
    )
