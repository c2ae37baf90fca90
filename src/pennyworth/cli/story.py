"""A receipt in words: headings with rows of label, value and remark. Says what the receipt says, and nothing it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pennyworth.cli.amounts import exact_usd, lasting, milliseconds, moment, share
from pennyworth.cli.screen import Fact, sum_of
from pennyworth.ledgers.balance import balances
from pennyworth.money import Basis, Money, Usage
from pennyworth.outcome import AttemptNote, Receipt

_SERVED: Mapping[str, str] = MappingProxyType(
    {
        "exact": "a kept answer to the same request",
        "partial": "kept answers to some of its items, the provider for the others",
        "normalised": "a kept answer to the same question, typed differently",
        "semantic": "a kept answer to a question that means the same",
        "coalesced": "the reply to an identical request that was in flight",
        "stale": "an expired answer, because the provider failed",
        "upstream": "the provider",
        "replayed": "the first result of its Idempotency-Key",
        "none": "nobody: no reply could be given",
    }
)
_ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        "complete": "whole",
        "length": "cut off at its length limit, as the model said",
        "filtered": "stopped by the provider's filter",
        "tools": "ended in calls of tools",
        "cut": "broke off",
        "error": "an error of the provider",
        "caller_left": "the caller left before its end",
        "refused": "refused by the gateway",
        "outrun": "ended by us: a second call of the same question began its reply first",
        "unknown": "unknown: the gateway's process died meanwhile",
    }
)
_BASES: Mapping[Basis, str] = MappingProxyType(
    {
        "metered": "by the provider's own count of tokens",
        "estimated": "estimated: no provider counted the tokens",
        "unpriced": "no price is known for this model",
        "none": "",
    }
)


def story(receipt: Receipt) -> Iterator[tuple[str, list[Fact]]]:
    """The receipt in the order in which things happened, the money after that."""
    yield f"Receipt {receipt.id}", [*_asked(receipt), *_answered(receipt)]
    if receipt.attempts:
        yield "Calls to providers", list(_calls(receipt))
    yield "Money", list(_money(receipt))
    if receipt.latency.total_ms:
        yield "Time", list(_time(receipt))
    if cache := list(_cache(receipt)):
        yield "Cache", cache
    if receipt.notes:
        yield "Noted meanwhile", [("", note, "") for note in receipt.notes]


def _asked(receipt: Receipt) -> Iterator[Fact]:
    yield "when", moment(receipt.at_s), f"worker {receipt.worker}" if receipt.worker else ""
    form = "as a stream" if receipt.stream else "in one piece"
    yield "asked for", receipt.model or "–", f"{form}, dialect {receipt.dialect}" if receipt.dialect else form
    yield "by", _by(receipt), f"end user {receipt.end_user}" if receipt.end_user else ""
    if receipt.route:
        yield "rules", f"route {receipt.route}", f"plan {receipt.plan}" if receipt.plan else ""
    if receipt.tags:
        yield "tags", ", ".join(receipt.tags), ""
    if receipt.parent:
        yield "late work for", receipt.parent, ""


def _by(receipt: Receipt) -> str:
    key = f"key {receipt.client}, " if receipt.client else ""
    team = f"team {receipt.team}, " if receipt.team else ""
    return f"{key}{team}scope {receipt.scope}"


def _answered(receipt: Receipt) -> Iterator[Fact]:
    yield "answered by", _SERVED[receipt.served], receipt.target
    if receipt.reason:
        yield "why", receipt.reason, ""
    yield "the reply", _ENDINGS[receipt.ending], f"status {receipt.status}" if receipt.status else ""
    if receipt.usage is not None:
        yield "tokens", tokens(receipt.usage), "of the answer given" if not receipt.attempts else ""


def tokens(usage: Usage) -> str:
    """The count, with the parts that have a price of their own."""
    into = [f"{usage.cached:,} cached"] if usage.cached else []
    into += [f"{usage.cache_write:,} written to the prompt cache"] if usage.cache_write else []
    into += [f"{usage.cache_write_1h:,} of those for an hour"] if usage.cache_write_1h else []
    into += [f"{usage.input_audio:,} audio"] if usage.input_audio else []
    out = [f"{usage.reasoning:,} reasoning"] if usage.reasoning else []
    out += [f"{usage.output_audio:,} audio"] if usage.output_audio else []
    return f"{usage.input:,} in{_parts(into)}, {usage.output:,} out{_parts(out)}"


def _parts(parts: list[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _calls(receipt: Receipt) -> Iterator[Fact]:
    for number, call in enumerate(receipt.attempts, 1):
        first = f"first byte {milliseconds(call.first_byte_ms)}" if call.status else ""
        yield f"{number}. {call.target}", _went(call), first
        if call.why:
            yield "", call.why, ""
        if call.usage is not None:
            yield "", f"{tokens(call.usage)}: {_cost(call)}", call.basis
        if call.served_by or call.provider_request_id:
            named = [f"answered as {call.served_by}" if call.served_by else "", call.provider_request_id]
            yield "", ", ".join(part for part in named if part), ""
        if call.dialect:
            yield "", f"translated: it was asked in {call.dialect}", ""
        if call.dropped:
            yield "", f"left out, having no word there: {', '.join(call.dropped)}", ""
        if call.edits:
            yield "", f"changed on the way up: {', '.join(call.edits)}", ""


def _went(call: AttemptNote) -> str:
    head = f"{call.status}" if call.status else "no reply"
    return f"{head}, {_ENDINGS[call.ending]}, {milliseconds(call.total_ms)}" + (f": {call.fault}" if call.fault else "")


def _cost(call: AttemptNote) -> str:
    return "no price" if call.basis == "unpriced" else exact_usd(call.spent)


def _money(receipt: Receipt) -> Iterator[Fact]:
    if receipt.would_basis == "unpriced":
        yield "price", "none is known, so nothing is claimed", f"mend it: pennyworth prices {receipt.model}"
        return
    saved: dict[str, Money] = {str(layer): amount for layer, amount in receipt.saved.items()}
    known = (_BASES[receipt.basis], _BASES[receipt.would_basis])
    yield from sum_of(receipt.spent, saved, receipt.would_have_cost, exact_usd, remarks=known)
    if receipt.own:
        yield "own work in it", exact_usd(receipt.own), ""
    if not balances(receipt):
        yield "UNBALANCED", "spent and saved do not add up to it", "please report this"
    if receipt.price_source:
        yield "price", receipt.price_source, ""


def _time(receipt: Receipt) -> Iterator[Fact]:
    took = receipt.latency
    yield "in all", milliseconds(took.total_ms), ""
    if took.first_byte_ms:
        yield "first byte from the provider", milliseconds(took.first_byte_ms), ""
    if took.upstream_ms:
        ours = max(took.total_ms - took.upstream_ms, 0.0)
        yield "with the provider", milliseconds(took.upstream_ms), share(took.upstream_ms, took.total_ms)
        yield "with the gateway", milliseconds(ours), share(ours, took.total_ms)


def _cache(receipt: Receipt) -> Iterator[Fact]:
    if receipt.age_s or receipt.ttl_s:
        left = f"lives {lasting(receipt.ttl_s)} more" if receipt.ttl_s > 0 else "expired"
        yield (
            "the answer",
            f"{lasting(receipt.age_s)} old, {left}",
            f"class {receipt.kind}" if receipt.kind else "",
        )
    if receipt.answer:
        yield "its id", receipt.answer, ""
    if receipt.key:
        yield "key", receipt.key, ""
