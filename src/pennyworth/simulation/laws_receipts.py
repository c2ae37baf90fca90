"""Every request ends in one receipt, acknowledged before its client can know that it is over; and what is kept is worth it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pennyworth.outcome import Kept, Receipt
from pennyworth.sandbox.watermark import check_answer
from pennyworth.simulation.hearing import hear
from pennyworth.simulation.hearing_messages import hear_message
from pennyworth.simulation.hearing_responses import hear_response
from pennyworth.simulation.history import Asked
from pennyworth.simulation.laws import Broken, Evidence
from pennyworth.simulation.wishes import MOMENT

_KEEPABLE = ("", "no_done", "drip", "huge")
"""Faults, if they are any, that leave a good answer."""


def receipts(evidence: Evidence) -> Iterator[Broken]:
    history = evidence.history
    for receipt_id, number in Counter(receipt.id for receipt in history.receipts).items():
        if number > 1:
            yield Broken("one receipt", 0, f"{receipt_id} was written {number} times")
    known = {receipt.id: receipt for receipt in history.receipts}
    for asked in history.asked:
        yield from _acknowledged(asked, evidence, known.keys() | history.refused.keys())
        receipt = known.get(asked.receipt)
        if receipt is not None and (asked.whole or asked.heard.complete) and receipt.id not in history.refused:
            yield from _true(asked, receipt)
    yield from _each(evidence)
    for intent in history.announced:
        if not (intent in known or intent in history.refused or intent in history.lost):
            yield Broken("one receipt", 0, f"the call announced as {intent} was never settled")


def _acknowledged(asked: Asked, evidence: Evidence, known: set[str]) -> Iterator[Broken]:
    if asked.status == 200 and not asked.receipt:
        yield Broken("one receipt", asked.wish.number, "an answer came without the name of a receipt")
    due = asked.whole or asked.heard.complete or not evidence.history.crashes
    if asked.receipt and due and asked.receipt not in known:
        yield Broken("one receipt", asked.wish.number, f"{asked.receipt} was promised and is in no journal")


def _true(asked: Asked, receipt: Receipt) -> Iterator[Broken]:
    said, seen = (receipt.model, receipt.status), (asked.wish.question.model, asked.status)
    if said != seen:
        yield Broken("true receipt", asked.wish.number, f"{receipt.id} says {said}, the client {seen}")
    if receipt.ending != "refused" and (receipt.stream != asked.wish.stream or (asked.wish.tag and not receipt.tags)):
        yield Broken("true receipt", asked.wish.number, f"{receipt.id} is of another request")


def _each(evidence: Evidence) -> Iterator[Broken]:
    """A client who left has not heard of a receipt; where it gave a tag, its own is found by that, and the others can be
    counted. (A refusal bears no tag: so many may be missing as there are refusals that no client has heard of. Whose key was
    being revoked may have come in or not, as long as that is being noticed; who heard that it did not has no receipt.)"""
    history = evidence.history
    heard = {asked.receipt for asked in history.asked}
    tagged = Counter(tag for receipt in history.receipts for tag in receipt.tags)
    for tag, number in tagged.items():
        if number > 1:
            yield Broken("one receipt", int(tag[1:]), f"it has {number} receipts")
    if history.crashes or history.refused:
        return
    nobodys = [receipt for receipt in history.receipts if receipt.id not in heard and not receipt.tags]
    refusals = len([receipt for receipt in nobodys if receipt.ending == "refused"])
    silent = [
        asked for asked in history.asked if not (asked.receipt or (asked.status == 401 and evidence.revoked(asked)))
    ]
    came_in = [asked for asked in silent if asked.handed_over and not evidence.revoked(asked)]
    lost = [asked for asked in came_in if asked.wish.tag and not tagged[asked.wish.tag]]
    for asked in lost[refusals:]:
        yield Broken(
            "one receipt", asked.wish.number, f"its client {'left' if asked.left else 'was cut off'}; no receipt"
        )
    plain = [asked for asked in silent if not asked.wish.tag]
    least = len([asked for asked in came_in if not asked.wish.tag])
    nameless = [
        asked for asked in silent if asked.wish.tag and not tagged[asked.wish.tag]
    ]  # it went before its head was in
    if not least <= len(nobodys) <= len(plain) + len(nameless):
        yield Broken(
            "one receipt", 0, f"{least} to {len(plain)} requests came in whose clients left; {len(nobodys)} receipts"
        )


def kept_answers(evidence: Evidence) -> Iterator[Broken]:
    seen: set[tuple[str, str]] = set()
    for kept in evidence.history.kept:
        name = (kept.answer.id, kept.key.hex())
        if name not in seen:
            seen.add(name)
            if wrong := _unfit(kept, evidence):
                yield Broken("worth keeping", 0, f"answer {kept.answer.id} of {kept.answer.scope}: {wrong}")


def _unfit(kept: Kept, evidence: Evidence) -> str:
    answer = kept.answer
    if answer.dialect == "messages":
        heard = hear_message(answer.raw, events=answer.streamed, whole=True)
    elif answer.dialect == "responses":
        heard = hear_response(answer.raw, events=answer.streamed, whole=True)
    else:
        heard = hear(answer.raw, events=answer.streamed, whole=True, choices=128)
    call = evidence.call_of(heard.id)
    if call is None:
        return f"no provider ever gave {heard.id!r}"
    if call.fault not in _KEEPABLE:
        return f"{call.id} was a {call.fault}"
    if answer.target != f"{call.provider}/{call.model}":
        return f"it says it is of {answer.target}, {call.provider}/{call.model} gave it"
    if (call.provider, call.model) != evidence.scene.upstream_of(answer.model):
        return f"{answer.target} stood in for {answer.model}"
    if (scope := evidence.scene.scope_of(call.tenant)) and answer.scope != scope:
        return f"{call.tenant} had asked for it"
    fields = call.fields
    if fields.get("temperature") and not evidence.scene.route_of(answer.model).sampled:
        return "it was sampled"
    if MOMENT in str(fields.get("messages") or fields.get("input")):
        return "it is about this moment"
    for index in range(fields.get("n", 1)):
        if heard.finishes[index] != "stop":
            return f"choice {index} ended as {heard.finishes[index]!r}"
        if wrong := check_answer(heard.texts[index], fields, call.shown, choice=index):
            return f"choice {index}: {wrong}"
    return ""
