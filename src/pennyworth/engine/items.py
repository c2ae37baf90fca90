"""Embeddings are kept item by item: a batch of which one text is new pays for one.

Each item is looked up under a key of its own, the same whether it came alone or in a batch. What is missing is asked for
in one call, and the reply is put together in the order asked. Vectors of two models must never stand in one reply: any
other target is asked for the whole batch, and so is this one where its reply cannot be put with what was kept.
"""

from __future__ import annotations

import asyncio

import msgspec

from pennyworth.decide import switches
from pennyworth.decide.key import Keyring, Series
from pennyworth.engine import together
from pennyworth.engine.batch import Batch
from pennyworth.engine.passage import Passage
from pennyworth.engine.sending import Sent
from pennyworth.engine.shelf import Shelf
from pennyworth.engine.together import SLICE
from pennyworth.outcome import Kept
from pennyworth.request import Key

AT_ONCE = SLICE - 1
"""A batch of no more items is looked up without a pause."""

_UNLIKE = "what came for the missing items cannot be put with the kept ones"


class Items:
    def __init__(self, shelf: Shelf, keyring: Keyring) -> None:
        self._shelf = shelf
        self._keyring = keyring

    async def find(self, p: Passage) -> Kept | None:
        """The whole reply, if every item is kept. Else the passage's ``batch`` knows what is to be asked."""
        if not (p.verdict.look or p.verdict.keep):
            return None
        series = self._keyring.series(p.request, "input", p.target, p.route.name, p.case.epoch)
        if series is None:
            return None
        batch = p.batch = Batch(p.request)
        await self._look_up(p, batch, series)
        together.agree(batch)
        batch.ask_missing()
        p.name = batch.keys[0].hex()[:16] if len(batch.keys) == 1 else ""
        p.exact = batch.keys[0] if p.name else series.together(batch.keys, batch.places)
        if not batch.places:
            return await together.hit(batch, batch.found, p.exact)
        if batch.stale and all(batch.keys[place] in batch.stale for place in batch.places):
            p.stale = await together.hit(batch, {**batch.stale, **batch.found}, p.exact)
        return None

    async def completed(self, p: Passage, sent: Sent) -> Sent | None:
        """With the whole batch's reply; ``None``: what came cannot be put with what was kept."""
        batch, outcome = p.batch, sent.outcome
        if batch is None or not batch.parted or outcome.status != 200 or outcome.ending == "error":
            return sent
        if outcome.ending != "complete" or not together.of_one_model(batch, outcome.served_by):
            return None
        whole, usage = await together.merged(batch, outcome, sent.usage.input if sent.usage else 0)
        return sent._replace(outcome=whole, usage=usage, served="partial")

    async def _look_up(self, p: Passage, batch: Batch, series: Series) -> None:
        for place, item in enumerate(batch.items):
            key = series.of(item)
            batch.keys.append(key)
            if p.verdict.look and key not in batch.found:
                await self._take(p, batch, key)
            if place % SLICE == AT_ONCE:
                await asyncio.sleep(0)

    async def _take(self, p: Passage, batch: Batch, key: Key) -> None:
        if not switches.allows("exact", p.route, p.view.plan, p.view.control, key):
            return
        kept = await self._shelf.get(p, key)
        if kept is None:
            return
        if self._shelf.is_fresh(p, kept):
            batch.found[key] = kept
        elif self._shelf.may_stand_in(p, kept):
            batch.stale[key] = kept


def not_put_together(sent: Sent) -> Sent:
    """A reply that is none for the caller: a part of it must not pass for the whole."""
    outcome = msgspec.structs.replace(sent.outcome, ending="cut", whole=False, fault=sent.outcome.fault or _UNLIKE)
    return sent._replace(outcome=outcome)
