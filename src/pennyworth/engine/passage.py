"""One request on its way through the engine: what has been decided about it so far."""

from __future__ import annotations

from pennyworth.engine.terms import Terms
from pennyworth.engine.triage import Case
from pennyworth.outcome import AttemptNote, Kept, Receipt
from pennyworth.request import Key
from pennyworth.view import View


class Passage:
    """Filled in stage by stage, read at settling. ``receipt`` is set once and then stands.

    Attributes:
        terms: those it began with: its prices and lifetimes.
        exact: the key of its very wording; ``name``, how people write it. ``under``: the key its answer is kept under.
        stale: an expired answer that may stand in for a failing provider.
        attempts: the calls made for it. ``notes``: what of ours failed meanwhile.
        answering: the target whose reply it gets. ``fallbacks``: those to ask when the asked one fails.
        alone: its key may not be answered by whom others may be, so it shares no call with them.
        once: under which its result is taken down, where it bears an Idempotency-Key.
        left: its caller has gone. ``leads``: its call feeds others. ``retried``: its first
            flight failed and it has asked again. ``repeats_sample``: a sampled question that was asked before.
    """

    __slots__ = (
        "alone",
        "answering",
        "attempts",
        "epoch",
        "exact",
        "fallbacks",
        "first_byte_ms",
        "id",
        "leads",
        "left",
        "name",
        "normal",
        "notes",
        "once",
        "reason",
        "receipt",
        "repeats_sample",
        "request",
        "retried",
        "route",
        "shares",
        "stale",
        "target",
        "terms",
        "ttl_s",
        "under",
        "verdict",
        "view",
    )

    def __init__(self, id: str, view: View, case: Case, terms: Terms) -> None:
        self.id = id
        self.terms = terms
        self.request = case.request
        self.view = view
        self.target = self.answering = case.target
        self.fallbacks = case.fallbacks
        self.route = case.route
        self.verdict = case.verdict
        self.reason = case.verdict.reason
        self.epoch = view.control.epoch
        self.name = case.name
        self.exact: Key | None = case.keys.exact if case.keys else None
        self.normal: Key | None = case.keys.normal if case.keys else None
        self.under: Key | None = None
        self.once = b""
        self.shares = False
        self.alone = False
        self.leads = False
        self.left = False
        self.retried = False
        self.repeats_sample = False
        self.stale: Kept | None = None
        self.attempts: list[AttemptNote] = []
        self.notes: list[str] = []
        self.first_byte_ms = 0.0
        self.ttl_s = 0.0
        self.receipt: Receipt | None = None


class Reply:
    """What the door writes. ``more``: only the head; the body is read from the ``Relay``."""

    __slots__ = ("body", "headers", "more", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"", more: bool = False) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.more = more
