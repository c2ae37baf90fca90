"""One request on its way through the engine: what has been decided about it so far."""

from __future__ import annotations

from pennyworth.decide.admit import Refuse
from pennyworth.decide.allowance import Limit
from pennyworth.engine.batch import Batch
from pennyworth.engine.purse import Hold, Purse
from pennyworth.engine.terms import Terms
from pennyworth.engine.triage import Case
from pennyworth.outcome import Answer, AttemptNote, Kept, Outcome, Receipt
from pennyworth.plan import Target
from pennyworth.request import Key, Request
from pennyworth.view import View


class Passage:
    """Filled in stage by stage, read at settling. ``receipt`` is set once and then stands.

    Attributes:
        terms: those it began with: its prices and lifetimes.
        exact: the key of its very wording; ``name``, how people write it. ``under``: the key its answer is kept under.
        said: a reply or a kept answer in the words of its caller, ``None`` where there are none.
        stale: an expired answer that may stand in for a failing provider.
        attempts: the calls made for it. ``notes``: what of ours failed meanwhile.
        batch: the items of a request for vectors, of which each is kept by itself.
        answering: the target whose reply it gets. ``fallbacks``: those to ask when the asked one fails.
        alone: its key may not be answered by whom others may be, so it shares no call with them.
        once: under which its result is taken down, where it bears an Idempotency-Key.
        purse: what bounds its caller, ``None`` where nothing does. ``hold``: what is set aside for its call.
        barred: no call may be made for it, for this reason. ``beyond``: a rate it is beyond, for which another model is
            asked. ``asked``: what it asked for, where that has happened.
        left: its caller has gone. ``leads``: its call feeds others. ``retried``: its first
            flight failed and it has asked again. ``waited``: a provider's batch API makes its call.
            ``repeats_sample``: a sampled question that was asked before.
    """

    __slots__ = (
        "alone",
        "answering",
        "asked",
        "attempts",
        "barred",
        "batch",
        "beyond",
        "case",
        "epoch",
        "exact",
        "fallbacks",
        "first_byte_ms",
        "hold",
        "id",
        "leads",
        "left",
        "name",
        "normal",
        "notes",
        "once",
        "purse",
        "reason",
        "receipt",
        "repeats_sample",
        "request",
        "retried",
        "route",
        "said",
        "shares",
        "stale",
        "target",
        "terms",
        "ttl_s",
        "under",
        "verdict",
        "view",
        "waited",
    )

    def __init__(self, id: str, view: View, case: Case, terms: Terms) -> None:
        self.id = id
        self.terms = terms
        self.view = view
        self.epoch = view.control.epoch
        self._decided(case)
        self.once = b""
        self.purse: Purse | None = None
        self.hold: Hold | None = None
        self.barred: Refuse | None = None
        self.beyond: Limit | None = None
        self.asked: Case | None = None
        self.shares = False
        self.alone = False
        self.leads = False
        self.left = False
        self.retried = False
        self.waited = False
        self.repeats_sample = False
        self.stale: Kept | None = None
        self.said: tuple[Outcome | Answer, bytes | None] | None = None
        self.attempts: list[AttemptNote] = []
        self.notes: list[str] = []
        self.first_byte_ms = 0.0
        self.ttl_s = 0.0
        self.receipt: Receipt | None = None

    @property
    def patience_s(self) -> float:
        """How long its caller waits for a reply to begin: as long as the operator would, or less."""
        most, own = self.target.provider.total_s, self.request.timeout_s
        return min(most, own) if own else most

    def asks(self, target: Target) -> Request:
        """What of the request is asked of a target: of the one whose answers may be kept, only what is not."""
        return self.batch.request if self.batch is not None and target is self.target else self.request

    def divert(self, asked: Case, case: Case) -> None:
        """Another model is asked than the caller named: from here on all is as if it had been named, but for the books."""
        self.asked = asked
        self._decided(case)

    def _decided(self, case: Case) -> None:
        self.case = case
        self.request = case.request
        self.target = self.answering = case.target
        self.fallbacks = case.fallbacks
        self.route = case.route
        self.verdict = case.verdict
        self.reason = case.verdict.reason
        self.name = case.name
        self.exact: Key | None = case.keys.exact if case.keys else None
        self.normal: Key | None = case.keys.normal if case.keys else None
        self.under: Key | None = None
        self.batch: Batch | None = None


class Reply:
    """What the door writes. ``more``: only the head; the body is read from the ``Relay``."""

    __slots__ = ("body", "headers", "more", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"", more: bool = False) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.more = more
