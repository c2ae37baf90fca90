"""Looks a question up: exact, then normalised. What comes back is owned by the asker, alive and allowed, or nothing."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pennyworth.decide import lifetime, normalise, switches
from pennyworth.decide.key import Keyring
from pennyworth.engine.passage import Passage
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
    def __init__(self, state: State, store: Store, keyring: Keyring) -> None:
        self._state = state
        self._store = store
        self._keyring = keyring

    @property
    def immediate(self) -> bool:
        return self._store.immediate

    async def find(self, p: Passage) -> Found | None:
        """A live answer to this question. An expired one that may stand in for an error is left on the passage."""
        if p.exact is None or not (p.verdict.look or p.verdict.keep):
            return None
        kept = await self._get(p, p.exact) if self._allows(p, "exact", p.exact) else None
        if kept is not None and kept.tier == "exact":
            return Found(kept, "exact")
        if not self._allows(p, "normalised", p.exact):
            return None
        if kept is None and self._reword(p) and p.normalised is not None:
            kept = await self._get(p, p.normalised)
        return Found(kept, "normalised") if kept is not None else None

    def _reword(self, p: Passage) -> bool:
        """Whether the question is worded unlike its normal form; the normal form's key is made then."""
        fields = normalise.normalise_messages(p.request.fields, p.view.plan.cache)
        if fields is p.request.fields:
            return False
        epoch = p.view.control.revisions.get(p.request.model, 0)
        p.normalised = self._keyring.normalised(p.request, fields, p.target, p.route.name, epoch)
        return True

    def _allows(self, p: Passage, layer: Layer, key: Key) -> bool:
        return switches.allows(layer, p.route, p.view.plan, p.view.control, key)

    async def _get(self, p: Passage, key: Key) -> Kept | None:
        if not p.verdict.look:
            return None
        try:
            kept = await self._store.get(key, p.view.wall_s)
        except StoreError as error:
            p.notes.append(f"store: {error}")
            return None
        if kept is None or not self._allowed(p, kept, key):
            return None
        if lifetime.fresh(kept, p.request.directives, p.view.wall_s):
            return kept
        if p.route.stale_if_error_s and p.view.wall_s < kept.expires_s + p.route.stale_if_error_s:
            p.stale = kept
        return None

    def _allowed(self, p: Passage, kept: Kept, key: Key) -> bool:
        """The value must say of itself that it belongs here: a mixed-up store or connection must not be believed."""
        answer = kept.answer
        if kept.key != key or answer.scope != p.request.caller.scope:
            self._state.trouble("store", "an entry under a key that is not its own was refused")
            p.notes.append("store: an entry that belongs elsewhere was refused")
            return False
        return answer.target == p.target.name and not p.view.control.kills(answer, key.hex())
