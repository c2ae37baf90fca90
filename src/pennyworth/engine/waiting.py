"""Requests that can wait: a provider's batch API makes their calls, hours later, perhaps in another process.

What is decided before and what is booked after is the engine's, as for any request: a kept answer is given at once, what
a call may cost is set aside, the reply is priced and kept. Only the call itself is somebody else's.
"""

from __future__ import annotations

from typing import NamedTuple

from pennyworth.decide import switches, trouble
from pennyworth.decide.admit import Refuse
from pennyworth.engine import heads
from pennyworth.engine.allowances import Allowances
from pennyworth.engine.books import Books
from pennyworth.engine.engine import Engine
from pennyworth.engine.giving import all_at_once
from pennyworth.engine.keeper import Keeper
from pennyworth.engine.lookup import Lookup
from pennyworth.engine.passage import Passage, Reply
from pennyworth.engine.sending import call_for
from pennyworth.engine.state import State
from pennyworth.engine.triage import Triage
from pennyworth.money import Basis, Money
from pennyworth.outcome import Intent, Receipt
from pennyworth.ports import Call
from pennyworth.request import Key, Request
from pennyworth.wire.dialects import CODECS


class Said(NamedTuple):
    """What a provider's batch says of one request: the reply as it would have come, or why there is none.

    ``fault``: it was not made (expired, cancelled, an error of the provider's), and costs nothing.
    """

    status: int
    body: bytes
    request_id: str = ""
    fault: str = ""


class Waiting:
    """``offer`` before, ``land`` after; between them whoever sends the batch writes its intent and its end."""

    def __init__(
        self,
        state: State,
        triage: Triage,
        engine: Engine,
        books: Books,
        allowances: Allowances,
        lookup: Lookup,
        keeper: Keeper,
    ) -> None:
        self._state = state
        self._triage = triage
        self._engine = engine
        self._books = books
        self._allowances = allowances
        self._lookup = lookup
        self._keeper = keeper

    async def offer(self, request: Request) -> Reply | Passage:
        """A kept answer or a refusal; else a passage, for which ``call_of`` says what is to be sent."""
        return await self._engine.offer(request)

    def allowed(self, p: Passage) -> bool:
        """Whether the switches let it wait. Everything has a draw of its own: what has no key goes by its id."""
        if p.batch is not None and 2 * len(p.batch.places) < len(p.batch.items):
            return False  # what is missing costs less directly than all of it at half price
        key = p.exact or p.id.encode().ljust(32, b"\0")
        return switches.allows("batch", p.route, p.view.plan, p.view.control, key)

    def pay(self, p: Passage) -> bool:
        """Sets aside what its call may cost at most, which is made whole, whatever is kept of its items. Not within its
        allowance: it is to be asked directly, and told."""
        if p.batch is not None:
            p.batch.ask_all()
        return p.purse is None or self._allowances.pay(p) is None

    def about(self, p: Passage) -> tuple[Money, Basis]:
        """What its call costs, roughly: for the intent."""
        return self._books.about(p)

    def resume(self, request: Request, receipt_id: str, epoch: int) -> Passage | Refuse:
        """The passage of a request whose call was made already, in this epoch, under the receipt id chosen for it."""
        view = self._state.snapshot()
        case = self._triage.decide(request, view)
        if isinstance(case, Refuse):
            return case
        passage = Passage(receipt_id, view, case, self._state.terms)
        passage.epoch = epoch
        return passage

    async def name_of(self, request: Request) -> Key | None:
        """By which equal questions are known, where they may share an answer."""
        p = self.resume(request, "", self._state.control.epoch)
        if isinstance(p, Refuse):
            return None
        await self._find_place(p)
        return p.exact if p.verdict.share else None

    async def land(self, p: Passage, said: Said) -> Reply:
        """Its reply is here: priced, kept, with its receipt written before anybody is given it."""
        await self._find_place(p)
        p.waited, p.reason = True, "a provider's batch API made the call"
        saying = p.case.saying
        recorder = CODECS[saying.request.dialect].recorder()
        if said.status == 200:
            recorder.feed_json(said.body)
        outcome = recorder.outcome(
            status=said.status,
            raw=said.body,
            streamed=False,
            ended=not said.fault,
            expected=p.request.n,
            fault=said.fault,
            request_id=said.request_id,
        )
        note = self._books.note(
            p, p.target, outcome, first_byte_ms=0.0, total_ms=0.0, edits=edited(p), saying=saying, why="batch"
        )
        p.attempts.append(note)
        status, body = all_at_once(p, outcome)
        gave = trouble.gives(outcome) and status == outcome.status
        receipt = self._books.settle(
            p, served="upstream" if gave else "none", ending=outcome.ending, status=status, usage=note.usage
        )
        await self._keeper.keep(p, outcome)
        return Reply(status, [heads.JSON, *heads.of_receipt(receipt)], body)

    def give_up(self, p: Passage) -> None:
        """Its call was not made, and it is to be asked directly: what was set aside for it is free again."""
        if p.hold is not None:
            p.reason = "a provider's batch API left it unanswered; it is asked directly"
            self._books.settle(p, served="none", ending="cut", status=504)

    def acknowledge(self, record: Intent | Receipt) -> None:
        """The intent of a batch before it is sent, and what ends it."""
        self._books.of_batch(record)

    async def _find_place(self, p: Passage) -> None:
        """Where its answer is to be kept. Somebody may have kept one meanwhile: this one is paid for all the same."""
        if p.under is None and p.batch is None:
            await self._lookup.find(p)
        if p.batch is not None:
            p.batch.ask_all()


def call_of(p: Passage) -> Call:
    """The call as it would be made directly: its path and body go into the batch."""
    request, target = p.case.saying.request, p.target
    return call_for(request, target, CODECS[request.dialect].edits(request, target.provider.quirks))


def edited(p: Passage) -> tuple[str, ...]:
    """The fields that were changed on the way up."""
    request = p.case.saying.request
    return tuple([edit.field for edit in CODECS[request.dialect].edits(request, p.target.provider.quirks)])
