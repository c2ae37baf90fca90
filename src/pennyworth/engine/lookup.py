"""Looks a question up. What comes back is owned by the asker, alive and allowed, or nothing."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pennyworth.decide import lifetime, switches
from pennyworth.engine.passage import Passage
from pennyworth.engine.replays import Replays
from pennyworth.engine.state import State
from pennyworth.errors import StoreError
from pennyworth.outcome import Kept, Layer
from pennyworth.ports import Store
from pennyworth.request import Key


class Found(NamedTuple):
    """``served``: by the question's own wording, or by its normal form."""

    kept: Kept
    served: Literal["exact", "normalised"]


class Lookup:
    def __init__(self, state: State, store: Store, replays: Replays) -> None:
        self._state = state
        self._replays = replays
        self._store = store

    @property
    def immediate(self) -> bool:
        return self._store.immediate

    async def find(self, p: Passage) -> Found | None:
        """A live answer to this question. An expired one that may stand in for an error is left on the passage.

        Where wordings share answers, one entry serves all of them and remembers how its own asker had put it.
        """
        if p.exact is None or not (p.verdict.look or p.verdict.keep):
            return None
        shares = self._allows(p, "normalised", p.exact)
        p.under = p.normal if shares else p.exact
        kept = await self._get(p, p.under) if p.under and p.verdict.look else None
        if kept is None:
            return None
        served: Literal["exact", "normalised"] = "exact" if kept.answer.key == p.name else "normalised"
        if not (shares if served == "normalised" else self._allows(p, "exact", p.exact)):
            return None
        return Found(kept, served) if self._is_fresh(p, kept) else None

    def _is_fresh(self, p: Passage, kept: Kept) -> bool:
        if lifetime.fresh(kept, p.request.directives, p.view.wall_s):
            return True
        if p.route.stale_if_error_s and p.view.wall_s < kept.expires_s + p.route.stale_if_error_s:
            p.stale = kept
        return False

    async def _get(self, p: Passage, key: Key) -> Kept | None:
        try:
            kept = await self._store.get(key, p.view.wall_s)
        except StoreError as error:
            p.notes.append(f"store: {error}")
            return None
        return kept if kept is not None and self._allowed(p, kept, key) else None

    def _allows(self, p: Passage, layer: Layer, key: Key) -> bool:
        return switches.allows(layer, p.route, p.view.plan, p.view.control, key)

    def _allowed(self, p: Passage, kept: Kept, key: Key) -> bool:
        """The value must say of itself that it belongs here: a mixed-up store or connection must not be believed."""
        answer = kept.answer
        if kept.key != key or answer.scope != p.request.caller.scope:
            self._state.trouble("store", "an entry under a key that is not its own was refused")
            p.notes.append("store: an entry that belongs elsewhere was refused")
            return False
        if answer.target != p.target.name or p.view.control.kills(answer, key.hex()):
            return False
        return self._replays.can_say(p, answer)
