"""The ports: what the engine needs from the outside world, each contract in words. One contract suite per port
(``pennyworth.testing``) holds every backend to it. Adapters know nothing of each other or of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from pennyworth.clients import KeySet
from pennyworth.money import Price
from pennyworth.outcome import Intent, Kept, Receipt, Totals
from pennyworth.plan import Target
from pennyworth.request import Key, Request
from pennyworth.view import Control
from pennyworth.whom import Erasure, Whom


class Clock(Protocol):
    """Time. ``wall_s`` is Unix time and never runs backwards; ``mono_ns`` is for durations."""

    def wall_s(self) -> float: ...

    def mono_ns(self) -> int: ...


class StoreUsage(msgspec.Struct, frozen=True, kw_only=True):
    """How full a store is."""

    entries: int
    bytes: int
    max_entries: int
    max_bytes: int
    evictions: int


class Store(Protocol):
    """Keys to kept answers.

    - A key that is not there, expired beyond ``expires_s + stale_s``, damaged, or owned by somebody else is ``None``.
      Expiry within the stale window is the caller's business: such an entry is returned.
    - ``put`` may be called again for the same key: the last one wins. Two keys may lead to one answer, kept once.
      It may return before the entry is durable; the same process sees it at once, another within a second.
    - Bounded: past its limits it evicts, it never grows. An answer too large to fit is silently not kept.
    - ``sweep`` removes what ``control`` kills and what is past its stale window; called in the background.
    - A broken backend raises ``StoreError``, promptly; the engine makes it a miss.
    - ``immediate``: ``get`` never suspends, so the engine may drive it without an event loop.
    """

    immediate: bool

    async def get(self, key: Key, now_s: float) -> Kept | None: ...

    async def put(self, kept: Kept) -> None: ...

    async def sweep(self, control: Control, now_s: float) -> int: ...

    def usage(self) -> StoreUsage: ...

    async def close(self) -> None: ...


class ControlRow(Protocol):
    """The shared control row. ``read`` is cheap and may be called several times a second.

    ``change`` applies a pure function to the newest row, atomically against other processes, raises its version by
    one, and returns the result. Both raise ``StoreError`` when the backend is broken; nobody loses the old row.
    """

    def read(self) -> Control: ...

    def change(self, apply: Callable[[Control], Control]) -> Control: ...

    def close(self) -> None: ...


class KeyBook(Protocol):
    """The virtual keys, shared by all workers: the same contract as ``ControlRow``, for another row."""

    def read(self) -> KeySet: ...

    def change(self, apply: Callable[[KeySet], KeySet]) -> KeySet: ...

    def close(self) -> None: ...


class Account(msgspec.Struct, frozen=True):
    """One limited thing in one window of time: what ``subject`` (``key:alice``, ``team:search``, ``everyone``) may use.

    ``unit``: picodollars, requests or tokens. ``since_s``, ``until_s``: the window, Unix time; it starts from nothing.
    """

    subject: str
    unit: Literal["pico", "requests", "tokens"]
    since_s: float
    until_s: float


class Standing(msgspec.Struct, frozen=True):
    """How an account stands: settled use, and what workers hold of it at present."""

    used: int = 0
    leased: int = 0


class Bill(msgspec.Struct, frozen=True):
    """What a worker reports of an account since it last did.

    ``used``: spent, out of its lease. ``back``: of its lease, what it no longer needs; less than nothing where it has
    spent more than it had leased, by as much as it still holds.
    """

    account: Account
    used: int = 0
    back: int = 0


class Quotas(Protocol):
    """Accounts shared by all workers. A worker leases part of what is left, and reserves from its lease by itself.

    - ``lease`` grants up to ``want`` but not less than ``least``, or 0: settled use and all leases together never
      exceed ``ceiling``, whoever asks at the same time. Grants shrink with what is left, so that nobody holds it all.
      ``since_s`` is when this worker began to count on the account, where that was not with its window. The first
      lease of an account in its window finds used what the books say was spent already.
    - ``settle`` takes all bills or none: ``used`` moves from this worker's lease to settled use, ``back`` is free
      again. ``used`` beyond the lease is settled too: it was spent. Answers how each account stands now.
    - A worker that died holds nothing for longer than a minute: ``recover`` settles what it had spent, by the books,
      and gives the rest back. Any process may call it at any time; twice is as good as once. It returns how many
      lives of workers it has closed.
    - All raise ``StoreError`` when the backend is broken, promptly. Budgets are no optimisation: the engine refuses.
    - ``lease`` and ``standing`` are quick enough for the request path; ``settle`` and ``recover`` may be called from
      another thread meanwhile.
    """

    def lease(self, account: Account, ceiling: int, want: int, least: int, since_s: float = 0.0) -> int: ...

    def settle(self, bills: Sequence[Bill]) -> Sequence[Standing]: ...

    def standing(self, account: Account) -> Standing: ...

    def recover(self) -> int: ...

    def close(self) -> None: ...


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to be made once.

    Attributes:
        key: of who asks and the ``Idempotency-Key`` they chose. ``seal``: of the body.
        until_s: its result is kept so long (wall clock). The rest: by what it can be forgotten.
    """

    key: bytes
    seal: bytes
    until_s: float
    scope: str = ""
    client: str = ""
    end_user: str = ""


class FirstResult(msgspec.Struct, frozen=True):
    """What the caller got, to be given again byte for byte. ``kind``: its content type. ``receipt``: what it cost."""

    status: int
    kind: str
    body: bytes
    receipt: str
    target: str


class Found(msgspec.Struct, frozen=True):
    """What is known of a promise. ``begun``: nothing was, it is made now. ``other``: its key belongs to another body.
    ``running``: another living process makes it. ``unknown``: it was begun and is not finished, by one that has died,
    or by the very process that asks. ``done``: its ``result`` is here. ``not_kept``: it was made, its result is not."""

    state: Literal["begun", "other", "running", "unknown", "done", "not_kept"]
    result: FirstResult | None = None


class Idempotency(Protocol):
    """Requests that are made once, shared by all workers.

    - ``begin`` finds a promise or makes it, atomically against other processes. When it has returned ``begun``, a crash
      of the process does not lose the promise. A process that makes a request itself need not ask for it meanwhile.
    - ``finish`` ends a promise of this process with its result; ``None``: it was made, and its result is not kept.
      ``drop`` takes a promise of this process back: nothing was done. Neither touches one that is finished.
    - A promise past its ``until_s`` is as if it had never been. Bounded: past its limits the oldest results go first,
      which leaves them ``not_kept``; only far beyond that does the oldest finished promise go.
    - A result that is not as it was written is ``not_kept``, never another one.
    - All raise ``StoreError`` when the backend is broken, promptly; the engine then refuses, because nobody must pay twice.
    """

    def begin(self, promise: Promise, now_s: float) -> Found: ...

    def finish(self, key: bytes, result: FirstResult | None) -> None: ...

    def drop(self, key: bytes) -> None: ...

    def close(self) -> None: ...


class Notices(Protocol):
    """What people were told already, by all workers and over restarts.

    ``first`` is ``True`` for one caller only, until ``until_s`` (Unix time). It raises ``StoreError`` when it cannot say.
    """

    def first(self, what: str, until_s: float) -> bool: ...


class Journal(Protocol):
    """Where a worker acknowledges. ``append`` is one write(2): when it has returned, a crash of the process loses
    nothing. It raises ``StoreError`` when the disk refuses; the request is served all the same and the fact counted."""

    def append(self, record: Intent | Receipt) -> None: ...

    def close(self) -> None: ...


Group = Literal["", "model", "scope", "served", "route", "client", "team", "day", "hour"]


class Ledger(Protocol):
    """The journal's idempotent fold, and what people ask of it.

    - ``fold`` may be given the same records again, in any order, by several processes: the totals do not change.
      A receipt wins over an intent of the same id; an intent alone counts nothing until it is closed.
    - ``totals`` groups by the given column over receipts in [since_s, until_s); "" is one row under the key "".
    - ``receipts`` lists the newest first, filtered by column (``model``, ``scope``, ``served``, ``ending``,
      ``route``, ``client``, ``team``); ``receipt`` finds by id, or ``None``.
    """

    def fold(self, records: Iterable[Intent | Receipt]) -> int: ...

    def totals(self, since_s: float, until_s: float, by: Group = "") -> dict[str, Totals]: ...

    def receipts(
        self, limit: int, before_s: float | None = None, where: Mapping[str, str] | None = None
    ) -> Sequence[Receipt]: ...

    def receipt(self, receipt_id: str) -> Receipt | None: ...

    def close(self) -> None: ...


class PriceBook(Protocol):
    """Published prices by date. ``None`` means the model has no price here: unpriced, never free.

    ``price`` is called on the request path: after the first call for a model and day it must be a look-up.
    ``provider`` is the book's id for the company ("openai"), ``model`` the name sent to it, ``at_s`` Unix time.
    ``exchange`` is how many dollars one unit of a currency is then, ``None`` where no rate is known; a dollar is 1.
    """

    def price(self, provider: str, model: str, at_s: float) -> Price | None: ...

    def exchange(self, currency: str, at_s: float) -> Decimal | None: ...

    def warnings(self, now_s: float) -> Sequence[str]: ...


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP call to a provider, ready to go: what ``Upstream.open`` sends as it stands.

    ``path``: below the base URL, as it goes into the request line; it may carry a query.
    ``within_s``: what is left for a whole reply, where that is less than the provider's ``total_s``; 0 = no less.
    """

    target: Target
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stream: bool
    within_s: float = 0.0
    method: str = "POST"

    def __repr__(self) -> str:  # a credential is among the headers, a prompt is the body
        return f"Call({self.target.name!r}, {self.path!r}, {len(self.body)} bytes)"


class Exchange(Protocol):
    """A call under way, after its response head.

    ``read`` returns the next bytes, in whatever cut they arrive, and ``b""`` once the provider has ended the body
    properly; a body that breaks off raises ``UpstreamError``. ``close`` may be called at any time and twice; it
    returns the connection to the pool only if the body was read to its end.
    """

    status: int
    headers: Sequence[tuple[str, str]]

    async def read(self) -> bytes: ...

    def close(self) -> None: ...


class Upstream(Protocol):
    """Sends calls. A reply of any status is an ``Exchange``; only a road that fails raises ``UpstreamError``.

    It follows no redirects, asks for no compression, and sends a credential to its provider's host only. It goes by the
    provider's ``road``, and a connection made on one road carries no call that belongs on another.
    """

    async def open(self, call: Call) -> Exchange: ...

    async def close(self) -> None: ...


class Similar(Protocol):
    """Finds the kept answer to a question that means the same, where the evidence allows it. Off = finds nothing.

    It never raises and answers within its own deadline: an index that fails or is late has found nothing.
    ``immediate``: ``find`` never suspends, so the engine may drive it without an event loop.
    """

    immediate: bool

    async def find(self, request: Request) -> Kept | None: ...

    async def add(self, kept: Kept, request: Request) -> None: ...


class Forgets(Protocol):
    """A place where something of people is kept, and from which one of them can be erased.

    - ``count`` says how many records tell of them; it changes nothing. ``forget`` removes or empties these and returns
      how many they were: a second time 0. When it has returned, their bytes are in no file of the place any more.
    - It works beside running workers, in whatever process, and may take seconds. A place that is not there holds nothing.
    - Both raise ``StoreError`` when the place cannot be emptied now; then it may be emptied in part, and is asked again.
    - ``place``: what people call it: ``answers``, ``receipts``.
    """

    place: str

    def count(self, whom: Whom) -> int: ...

    def forget(self, whom: Whom) -> int: ...


class ErasureBook(Protocol):
    """The records of who was forgotten, kept with the ledger. ``erasures``: the newest first."""

    def note(self, erasure: Erasure) -> None: ...

    def erasures(self, limit: int) -> Sequence[Erasure]: ...
