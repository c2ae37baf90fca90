"""Puts vectors together: one reply of what was kept and what has come, in the order asked, with the tokens of all of them.

The caller's usage is what these items cost when they were asked for, whoever paid it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

import msgspec

from pennyworth.engine.batch import Batch, Fresh
from pennyworth.money import Usage
from pennyworth.outcome import Kept, Outcome
from pennyworth.request import Key
from pennyworth.wire.embeddings import reply
from pennyworth.wire.embeddings.reply import Part

SLICE = 64
"""So many items are dealt with before the event loop gets its turn: one to three milliseconds."""


async def hit(batch: Batch, kept: Mapping[Key, Kept], under: Key) -> Kept:
    """A kept answer to the whole batch, as old as its oldest item; that of its only item as it is."""
    every = list(kept.values())
    if len(batch.keys) == 1:
        return every[0]
    oldest = min(every, key=lambda one: one.answer.created_s)
    tokens = sum([kept[key].answer.usage.input for key in batch.keys])
    parts = (reply.part_of(kept[key].answer.raw) for key in batch.keys)
    raw = await _composed(parts, reply.model_of(oldest.answer.raw), tokens)
    return Kept(
        key=under,
        answer=msgspec.structs.replace(oldest.answer, id="", key="", raw=raw, usage=Usage(input=tokens)),
        expires_s=min([one.expires_s for one in every]),
        stale_s=min([one.stale_s for one in every]),
    )


async def merged(batch: Batch, outcome: Outcome, tokens: int) -> tuple[Outcome, Usage]:
    """The whole batch's outcome. ``outcome``: what came for its missing items. ``tokens``: of these."""
    async for key, fresh in in_turn(batch, batch.came(outcome, tokens)):
        batch.fresh[key] = fresh
    usage = Usage(input=sum([batch.tokens(key) for key in batch.keys]))
    raw = await _composed((batch.part(key) for key in batch.keys), outcome.served_by, usage.input)
    return msgspec.structs.replace(outcome, raw=raw, finishes=("complete",) * len(batch.keys), usage=usage), usage


def agree(batch: Batch) -> None:
    """Of what was found, what the newest one's model made. A name may have come to mean another model since."""
    if len(batch.found) > 1:
        made_by = {key: reply.model_of(kept.answer.raw) for key, kept in batch.found.items()}
        if len(set(made_by.values())) > 1:
            newest = made_by[max(batch.found, key=lambda key: batch.found[key].answer.created_s)]
            batch.found = {key: kept for key, kept in batch.found.items() if made_by[key] == newest}


def of_one_model(batch: Batch, model: str) -> bool:
    """Whether this model made what was found (``agree``)."""
    return all(reply.model_of(kept.answer.raw) == model for kept in list(batch.found.values())[:1])


async def in_turn(batch: Batch, came: Iterable[tuple[Key, Fresh]]) -> AsyncIterator[tuple[Key, Fresh]]:
    """One by one, and others are served in between; before the first of many, too, since a long reply has just been read."""
    if len(batch.keys) > SLICE:
        await asyncio.sleep(0)
    for place, one in enumerate(came, 1):
        yield one
        if place % SLICE == 0:
            await asyncio.sleep(0)


async def _composed(parts: Iterable[Part], model: str, tokens: int) -> bytes:
    lists: list[bytes] = []
    some: list[Part] = []
    for part in parts:
        some.append(part)
        if len(some) == SLICE:
            lists.append(reply.listed(some, len(lists) * SLICE))
            some = []
            await asyncio.sleep(0)
    if some:
        lists.append(reply.listed(some, len(lists) * SLICE))
    return reply.whole(lists, model, tokens)
