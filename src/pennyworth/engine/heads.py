"""Reply headers: who answered, what it cost, what the cache did (RFC 9211), which receipt tells more."""

from __future__ import annotations

from collections.abc import Iterable

from pennyworth.decide import trouble
from pennyworth.engine.passage import Passage
from pennyworth.outcome import Kept, Outcome, Receipt
from pennyworth.ports import FirstResult
from pennyworth.secret import Secret
from pennyworth.wire.headers import quoted

Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
NO_RETRY = (b"x-should-retry", b"false")
"""The official SDKs ask again after any 408, 409, 429 and 5xx unless this says that it is of no use."""

_NO_BUFFER = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_PASSED_ON = ("retry-after", "retry-after-ms", "x-request-id", "openai-processing-ms", "openai-version", "openai-model")
_PASSED_ON_PREFIX = ("x-ratelimit-", "x-sandbox")
_OF_BODY = (
    *("accept-ranges", "content-disposition", "content-language", "content-range", "content-type"),
    *("etag", "last-modified", "request-id"),
)
"""What says what a body is that is passed through."""


def of_hit(p: Passage, kept: Kept, receipt: Receipt, sums: Headers) -> Headers:
    """``ttl`` is negative for a stale answer, as RFC 9211 §2.2 says. ``sums``: of the receipt (``of_sums``)."""
    now = p.view.wall_s
    return [
        EVENTS if p.request.stream else JSON,
        (b"cache-status", b"pennyworth; hit; ttl=%d; detail=%b" % (kept.expires_s - now, receipt.served.encode())),
        (b"age", b"%d" % max(0, int(now - kept.answer.created_s))),
        (b"x-pennyworth-receipt", receipt.id.encode()),
        *sums,
    ]


def of_first(receipt: Receipt, first: FirstResult) -> Headers:
    """The first result of an Idempotency-Key, given again."""
    return [
        (b"content-type", first.kind.encode("latin-1", "replace")),
        (b"idempotent-replayed", b"true"),
        (b"cache-status", b"pennyworth; hit; detail=replayed"),
        (b"x-pennyworth-receipt", receipt.id.encode()),
        (b"x-pennyworth-model", first.target.encode()),
        *of_sums(receipt)[1:],
    ]


def of_receipt(receipt: Receipt) -> Headers:
    """The receipt's id, and its sums: on a live stream they are not known yet, and so are not there."""
    return [(b"x-pennyworth-receipt", receipt.id.encode()), *of_sums(receipt)]


def of_sums(receipt: Receipt) -> Headers:
    """What it cost and saved, and at which model; the same for each hit of an answer while its price stands."""
    unpriced = receipt.would_basis == "unpriced"
    saved = receipt.would_have_cost - receipt.spent
    return [
        (b"x-pennyworth-model", receipt.target.encode()),
        (b"x-pennyworth-spent", b"unpriced" if unpriced else str(receipt.spent).encode()),
        (b"x-pennyworth-saved", b"unpriced" if unpriced else str(saved).encode()),
    ]


def of_stream(p: Passage, upstream: tuple[tuple[str, str], ...]) -> Headers:
    return [
        EVENTS,
        *_NO_BUFFER,
        (b"cache-status", cache_status(p).encode()),
        (b"x-pennyworth-receipt", p.id.encode()),
        (b"x-pennyworth-model", p.answering.name.encode()),
        *passed_on(upstream, p.answering.provider.credential),
    ]


def of_whole(p: Passage, receipt: Receipt, upstream: tuple[tuple[str, str], ...], outcome: Outcome) -> Headers:
    head = [
        type_of(p, upstream, outcome),
        (b"cache-status", cache_status(p).encode()),
        *of_receipt(receipt),
        *passed_on(upstream, p.answering.provider.credential),
    ]
    if trouble.given_up(outcome, p.answering):
        head.append(NO_RETRY)
    return head


def of_through(p: Passage, upstream: tuple[tuple[str, str], ...], *, bodiless: bool) -> Headers:
    """A reply that is passed through. ``bodiless``: its length is that of what a GET would bring."""
    credential = p.answering.provider.credential
    said = [each for each in upstream if each[0] in _OF_BODY or (bodiless and each[0] == "content-length")]
    return [
        *_safe(said, credential),
        (b"cache-status", cache_status(p).encode()),
        (b"x-pennyworth-receipt", p.id.encode()),
        (b"x-pennyworth-model", p.answering.name.encode()),
        *passed_on(upstream, credential),
    ]


def of_failed_through(
    p: Passage, receipt: Receipt, upstream: tuple[tuple[str, str], ...], *, as_it_came: bool
) -> Headers:
    """``as_it_came``: the body is the provider's own."""
    credential = p.answering.provider.credential
    body = _safe([header for header in upstream if header[0] in _OF_BODY], credential) if as_it_came else [JSON]
    return [
        *body,
        (b"cache-status", cache_status(p).encode()),
        *of_receipt(receipt),
        *passed_on(upstream, credential),
    ]


def type_of(p: Passage, upstream: tuple[tuple[str, str], ...], outcome: Outcome) -> tuple[bytes, bytes]:
    """Events or JSON, as asked; a provider's own error page keeps the type it came with, where it is not said anew."""
    if outcome.dialect != p.request.dialect and (not trouble.gives(outcome) or p.said is None or p.said[1] is None):
        return JSON
    if trouble.gives(outcome) and outcome.ending not in ("cut", "error"):
        return EVENTS if p.request.stream else JSON
    told = trouble.explain(outcome, p.answering) if not trouble.gives(outcome) else None
    if told is not None and not told.body:
        return JSON
    kind = next((value for name, value in upstream if name == "content-type" and value.isprintable()), "")
    return (b"content-type", kind.encode("latin-1", "replace")) if kind else JSON


def cache_status(p: Passage) -> str:
    """What the cache did with a request it did not answer."""
    if not p.verdict.look:
        return f"pennyworth; fwd=bypass; detail={quoted(p.reason)}"
    if p.batch is not None and p.batch.found:
        return f"pennyworth; fwd=partial; detail={quoted(p.batch.told)}"
    forward = "stale" if p.stale else "miss"
    return f"pennyworth; fwd={forward}" if p.leads or not p.shares else f"pennyworth; fwd={forward}; collapsed"


def passed_on(upstream: tuple[tuple[str, str], ...], credential: Secret) -> Headers:
    """The provider's headers that clients act on: retry hints, rate limits, request id. Not one with control characters,
    which no server may send on, nor one that says our ``credential`` back."""
    named = [each for each in upstream if each[0] in _PASSED_ON or each[0].startswith(_PASSED_ON_PREFIX)]
    return _safe(named, credential)


def _safe(headers: Iterable[tuple[str, str]], credential: Secret) -> Headers:
    return [
        (name.encode(), value.encode("latin-1", "replace"))
        for name, value in headers
        if value.isprintable() and not credential.is_in(value.encode("latin-1", "replace"))
    ]
