"""Every answer belongs to who got it: the right tenant, the right question, whole where it says so, fresh where it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pennyworth.outcome import Receipt
from pennyworth.sandbox.watermark import check_answer, expected_watermark
from pennyworth.simulation.history import Asked, Call
from pennyworth.simulation.laws import Broken, Evidence
from pennyworth.simulation.scene import STALE_S
from pennyworth.simulation.wishes import in_messages, in_responses

_HITS = ("exact", "normalised", "stale")
_ODD = ("malformed", "endless", "tool_calls")
_SEEN_WITHIN_S = 1.0
"""Of a revocation, by every worker."""

_FRESH = ("no-cache", "no-store", "max-age=0")


def served(evidence: Evidence) -> Iterator[Broken]:
    """Where nothing goes wrong, everybody is served; and so they are again when what went wrong is over."""
    for asked in evidence.history.asked:
        if not (evidence.quiet or asked.afterwards):
            continue
        unanswerable = asked.wish.directive == "only-if-cached" and asked.status == 504
        if not (asked.left or asked.heard.complete or unanswerable or evidence.revoked(asked)):
            yield Broken("service", asked.wish.number, f"status {asked.status}, {asked.heard.error or 'not complete'}")


def answers(evidence: Evidence) -> Iterator[Broken]:
    lost = evidence.history.refused  # by a full disk: what stands for them knows no more than that a call was made
    receipts = {receipt.id: receipt for receipt in evidence.history.receipts if receipt.id not in lost}
    given = Counter(asked.heard.id for asked in evidence.history.asked if asked.heard.id)
    for asked in evidence.history.asked:
        number = asked.wish.number
        if asked.given_up:
            yield Broken("nobody waits for ever", number, f"no end after {asked.ended_s - asked.sent_s:.0f} s")
        if not asked.heard.id:
            continue
        call = evidence.call_of(asked.heard.id)
        if call is None:
            yield Broken("right answer", number, f"no provider ever gave {asked.heard.id}")
            continue
        receipt = receipts.get(asked.receipt)
        yield from _no_silent_end(asked, call)
        yield from _right_tenant(asked, call, evidence)
        yield from _right_question(asked, call, receipt, evidence)
        yield from _fresh(asked, call, given[asked.heard.id], evidence)
        if asked.wish.directive == "only-if-cached" and receipt is not None and receipt.served not in _HITS:
            yield Broken("only if cached", number, f"given {call.id}, {receipt.served}")
        yield from _young(asked, receipt, evidence)
        yield from _obeys_orders(asked, call, receipt, evidence)


def _no_silent_end(asked: Asked, call: Call) -> Iterator[Broken]:
    """A stream that ends as streams end, and is not whole, says so."""
    events = asked.headers.get("content-type", "").startswith("text/event-stream")
    if asked.whole and events and not (asked.heard.complete or asked.heard.error):
        yield Broken("whole answer", asked.wish.number, f"{call.id} ({call.fault or 'no fault'}) ended in silence")


def _right_tenant(asked: Asked, call: Call, evidence: Evidence) -> Iterator[Broken]:
    wish = asked.wish
    expected = (wish.tenant.name, evidence.scene.credential(call.provider, wish.tenant))
    if (call.tenant, call.shown) != expected:
        yield Broken(
            "right tenant",
            wish.number,
            f"{wish.tenant.name} was given the answer {call.id}, which {call.tenant} had asked for",
        )


def _right_question(asked: Asked, call: Call, receipt: Receipt | None, evidence: Evidence) -> Iterator[Broken]:
    wish, scene = asked.wish, evidence.scene
    model, at = wish.question.model, (call.provider, call.model)
    stood_in = at != scene.upstream_of(model)
    if stood_in and not (at in scene.stand_ins(model) and _says(receipt, at)):
        yield Broken(
            "right model", wish.number, f"{model} was asked, {'/'.join(at)} answered, and the receipt is silent"
        )
    wordings = [{**fields, "model": call.model} for fields in wish.question.wordings]
    own = wordings[wish.wording]
    said = [own, *_elsewhere(own)]
    if same := [fields for fields in said if expected_watermark(fields, call.shown) == call.marked]:
        fields = same[0]
    else:
        wordings += [twin for typed in wordings for twin in _elsewhere(typed)]
        others = [typed for typed in wordings if expected_watermark(typed, call.shown) == call.marked]
        if not others:
            yield Broken("right question", wish.number, f"{call.id} answers {call.fields}, asked was {own}")
            return
        fields = others[0]
        if receipt is not None and receipt.served not in ("normalised", "stale"):
            yield Broken("right question", wish.number, f"another wording was answered, as {receipt.served}")
    for index, text in enumerate(asked.heard.texts):
        if wrong := _wrong(asked, text, fields, call, index):
            yield Broken(
                "whole answer", wish.number, f"{call.id} ({call.fault or 'no fault'}), choice {index}: {wrong}"
            )


def _elsewhere(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The same question as it may reach a provider from somebody who asks in another dialect, translated or not."""
    if "max_tokens" not in fields:
        return []
    renamed = {("max_completion_tokens" if name == "max_tokens" else name): value for name, value in fields.items()}
    return [renamed, in_messages(fields, ""), in_responses(fields, "")]


def _says(receipt: Receipt | None, at: tuple[str, str]) -> bool:
    """A fallback's answer is never a hit. What a death left unknown says nothing, and is no lie."""
    if receipt is None or receipt.ending == "unknown":
        return True
    return receipt.target == "/".join(at) and receipt.served not in _HITS


def _wrong(asked: Asked, text: str, fields: dict[str, Any], call: Call, index: int) -> str | None:
    heard = asked.heard
    finish = heard.finishes[index]
    if heard.complete and finish in (
        "refusal",
        "content_filter",
    ):  # said across dialects of a whole refusal, and of an answer that a filter has cut off
        finish = "stop" if " [end:" in text else "content_filter"
    if heard.complete:
        return check_answer(text, fields, call.shown, choice=index, finish=finish)
    if len(text) < 40 or call.fault in _ODD:  # the mark is cut, or the provider itself says no whole answer
        return None
    return check_answer(text, fields, call.shown, choice=index) and check_answer(
        text, fields, call.shown, choice=index, finish="length"
    )


def _fresh(asked: Asked, call: Call, times: int, evidence: Evidence) -> Iterator[Broken]:
    wish = asked.wish
    sampled = wish.question.sampled and not evidence.scene.route_of(wish.question.model).sampled
    if (sampled or wish.directive in _FRESH) and call.arrived_s < asked.sent_s:
        yield Broken(
            "fresh answer", wish.number, f"{wish.directive or 'sampled'}, and given {call.id}, asked for before it"
        )
    if (sampled or wish.directive == "no-store") and times > 1:
        yield Broken(
            "fresh answer", wish.number, f"{wish.directive or 'sampled'}, and {call.id} was given {times} times"
        )


def _young(asked: Asked, receipt: Receipt | None, evidence: Evidence) -> Iterator[Broken]:
    kept = evidence.history.created.get(asked.heard.id)
    if receipt is None or receipt.served not in _HITS or kept is None:
        return
    age_s = asked.sent_wall_s - kept
    limit = evidence.scene.longest_s + (STALE_S if receipt.served == "stale" else 0.0)
    if asked.wish.directive == "max-age=100" and receipt.served != "stale":
        limit = 100.0
    if age_s > limit + 1.0:
        yield Broken("young answer", asked.wish.number, f"given {age_s:.0f} s after it was kept, as {receipt.served}")


def _obeys_orders(asked: Asked, call: Call, receipt: Receipt | None, evidence: Evidence) -> Iterator[Broken]:
    """What was asked for before an operator's order is not given to who asks after it."""
    off = False
    for order in evidence.history.orders:
        if order.at_s > asked.sent_s:
            if order.at_s <= asked.ended_s and order.what in ("off", "on"):
                off = False  # it changed while the request was under way: either is right
            continue
        if order.what in ("off", "on"):
            off = order.what == "off"
            continue
        if order.what == "revoke":
            if order.value == asked.wish.tenant.key and asked.sent_s > order.at_s + _SEEN_WITHIN_S:
                yield Broken(
                    "revoked", asked.wish.number, f"its key {order.value} was, {asked.sent_s - order.at_s:.1f} s before"
                )
            continue
        selected = {
            "all": True,
            "model": order.value == asked.wish.question.model,
            "scope": receipt is not None and receipt.scope == order.value,
            "key": receipt is not None and receipt.key == order.value,
        }[order.what]
        if selected and call.arrived_s < order.at_s:
            purged = f"{call.id} was purged ({order.what} {order.value}) {asked.sent_s - order.at_s:.3f} s before"
            yield Broken("purged is gone", asked.wish.number, purged)
    if off and call.arrived_s < asked.sent_s:
        yield Broken("kill switch", asked.wish.number, f"it was off, and {call.id} is older than the request")
