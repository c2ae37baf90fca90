"""Takes one entry from the store: alive, allowed, owned by who asks, and in words he understands, or nothing."""

from __future__ import annotations

from pennyworth.decide import lifetime
from pennyworth.engine.passage import Passage
from pennyworth.engine.replays import Replays
from pennyworth.engine.state import State
from pennyworth.errors import StoreError
from pennyworth.outcome import Kept
from pennyworth.ports import Store
from pennyworth.request import Key


class Shelf:
    def __init__(self, state: State, store: Store, replays: Replays) -> None:
        self._state = state
        self._replays = replays
        self._store = store

    @property
    def immediate(self) -> bool:
        return self._store.immediate

    async def get(self, p: Passage, key: Key) -> Kept | None:
        """A store that fails is a miss, and the passage says so."""
        try:
            kept = await self._store.get(key, p.view.wall_s)
        except StoreError as error:
            if (note := f"store: {error}") not in p.notes:
                p.notes.append(note)
            return None
        return kept if kept is not None and self._allowed(p, kept, key) else None

    def is_fresh(self, p: Passage, kept: Kept) -> bool:
        return lifetime.fresh(kept, p.request.directives, p.view.wall_s)

    def may_stand_in(self, p: Passage, kept: Kept) -> bool:
        """Where the provider fails."""
        return bool(p.route.stale_if_error_s) and p.view.wall_s < kept.expires_s + p.route.stale_if_error_s

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
