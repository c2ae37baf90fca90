"""Looks a question up. What comes back is owned by the asker, alive and allowed, or nothing."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pennyworth.decide import switches
from pennyworth.engine.items import Items
from pennyworth.engine.passage import Passage
from pennyworth.engine.shelf import Shelf
from pennyworth.outcome import Kept, Layer
from pennyworth.request import Key


class Found(NamedTuple):
    """``served``: by the question's own wording, or by its normal form. ``each``: the entries that it is made of."""

    kept: Kept
    served: Literal["exact", "normalised"]
    each: tuple[Kept, ...]


class Lookup:
    def __init__(self, shelf: Shelf, items: Items) -> None:
        self._shelf = shelf
        self._items = items

    @property
    def immediate(self) -> bool:
        return self._shelf.immediate

    async def find(self, p: Passage) -> Found | None:
        """A live answer to this question. An expired one that may stand in for an error is left on the passage.

        Where wordings share answers, one entry serves all of them and remembers how its own asker had put it.
        """
        if p.request.dialect == "embeddings":
            return await self._find_items(p)
        if p.exact is None or not (p.verdict.look or p.verdict.keep):
            return None
        shares = self._allows(p, "normalised", p.exact)
        p.under = p.normal if shares else p.exact
        kept = await self._shelf.get(p, p.under) if p.under and p.verdict.look else None
        if kept is None:
            return None
        served: Literal["exact", "normalised"] = "exact" if kept.answer.key == p.name else "normalised"
        if not (shares if served == "normalised" else self._allows(p, "exact", p.exact)):
            return None
        if self._shelf.is_fresh(p, kept):
            return Found(kept, served, (kept,))
        if self._shelf.may_stand_in(p, kept):
            p.stale = kept
        return None

    async def _find_items(self, p: Passage) -> Found | None:
        """All of them, each by its very wording: two wordings have two vectors."""
        kept = await self._items.find(p)
        return Found(kept, "exact", tuple(p.batch.found.values())) if kept and p.batch else None

    def _allows(self, p: Passage, layer: Layer, key: Key) -> bool:
        return switches.allows(layer, p.route, p.view.plan, p.view.control, key)
