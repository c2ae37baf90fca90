"""Keeps answers: decides whether a reply is worth giving again, for how long, and puts it under its keys."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec

from pennyworth.decide import cacheable, invalidate, lifetime
from pennyworth.decide.key import Keyring
from pennyworth.decide.lifetime_rules import EMBEDDING
from pennyworth.engine.batch import Batch
from pennyworth.engine.passage import Passage
from pennyworth.engine.state import State
from pennyworth.engine.together import in_turn
from pennyworth.errors import StoreError
from pennyworth.money import Usage
from pennyworth.outcome import Answer, Kept, Outcome
from pennyworth.plan import Lifetime
from pennyworth.ports import ControlRow, Similar, Store
from pennyworth.request import Key
from pennyworth.view import Control
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.embeddings import reply


class Keeper:
    def __init__(self, state: State, store: Store, similar: Similar, control: ControlRow, keyring: Keyring) -> None:
        self._state = state
        self._keyring = keyring
        self._store = store
        self._similar = similar
        self._control = control
        self._keyring = keyring

    async def keep(self, p: Passage, outcome: Outcome) -> None:
        """Puts the reply under the passage's keys, if it may be kept. Never raises for a store that fails."""
        if self._new_weights(p, outcome):
            return  # asked for under the old weights' key
        verdict = cacheable.keep(
            p.request,
            outcome,
            p.verdict,
            p.route,
            p.view.plan.cache,
            target_is_primary=_primary(p),
            asked=p.target.model,
        )
        if not verdict.kept or (p.under is None and p.batch is None):
            self._state.not_kept(verdict.reason)
            return
        kind = lifetime.on_route(_kind(p), p.route)
        now = self._state.clock.wall_s()
        expires = lifetime.expires(kind, now, 1, now, p.view.plan.cache)
        if expires <= now:
            self._state.not_kept(f"{kind.name} questions are not kept")
            return
        answer = _answer(p, outcome, kind.name, now, self._keyring.end_user(p.request))
        if p.batch is not None:
            await self._put_each(p, p.batch, outcome, answer, expires)
        elif p.under is not None:
            await self._put(p, p.under, answer, expires)

    async def renew(self, p: Passage, kept: Kept) -> None:
        """A question asked often earns life: the kept entry is put again with a later expiry."""
        kind = p.terms.kinds.get(kept.answer.kind)
        if kind is None or kind.max_s <= kind.ttl_s:
            return  # it earns nothing, however often it is asked for
        asks = self._state.asked_again(kept.key, kept.asks)
        if asks % max(1, p.view.plan.cache.earn_after):
            return
        asked = msgspec.structs.replace(kept, asks=asks)
        later = lifetime.renewed(asked, lifetime.on_route(kind, p.route), p.view.wall_s, p.view.plan.cache)
        if later is not None and not self._state.control.kills(kept.answer, kept.key.hex()):
            await self._try(msgspec.structs.replace(asked, expires_s=later))

    async def _put_each(self, p: Passage, batch: Batch, outcome: Outcome, whole: Answer, expires_s: float) -> None:
        """Every vector that has come, by itself. A store that fails is told of once."""
        told, number = False, itertools.count()
        async for key, fresh in in_turn(batch, batch.came(outcome, whole.usage.input)):
            answer = msgspec.structs.replace(
                whole,
                id=f"{whole.id}-{next(number)}" if len(batch.keys) > 1 else whole.id,
                raw=reply.alone(fresh.part, fresh.tokens, outcome.raw if len(batch.keys) == 1 else b""),
                usage=Usage(input=fresh.tokens),
                key=key.hex()[:16],
            )
            told = not await self._put(p, key, answer, expires_s, quiet=told) or told
        for kept in tuple(batch.found.values()):
            await self.renew(p, kept)

    async def _put(self, p: Passage, key: Key, answer: Answer, expires_s: float, *, quiet: bool = False) -> bool:
        """Whether the store has taken it."""
        if self._state.control.kills(answer, key.hex()):
            self._state.not_kept("purged while it was on its way")
            return True
        self._state.counters.kept += 1
        kept = Kept(key=key, answer=answer, expires_s=expires_s, stale_s=p.route.stale_if_error_s)
        taken = await self._try(kept, quiet=quiet)
        if p.batch is None:
            await self._similar.add(kept, p.request)
        return taken

    async def _try(self, kept: Kept, *, quiet: bool = False) -> bool:
        try:
            await self._store.put(kept)
        except StoreError as error:
            if not quiet:
                self._state.trouble("store", str(error))
            return False
        return True

    def _new_weights(self, p: Passage, outcome: Outcome) -> bool:
        """Starts a new epoch when the model's fingerprint has changed, where the route watches it."""
        fingerprint, model = outcome.fingerprint, p.request.model
        if not (p.route.fingerprint_epochs and fingerprint and outcome.status == 200):
            return False
        known = self._state.control.fingerprints.get(model)
        if known == fingerprint:
            return False
        self.change(lambda control: invalidate.see_fingerprint(control, model, fingerprint))
        return known is not None

    def change(self, apply: Callable[[Control], Control]) -> Control:
        """Changes the shared control row, here at once and everywhere within a second. A row that cannot be written
        leaves the change in this process, and is reported.
        """
        try:
            self._state.control = self._control.change(apply)
        except StoreError as error:
            self._state.trouble("control", str(error))
            self._state.control = apply(self._state.control)
        return self._state.control


def _kind(p: Passage) -> Lifetime:
    """A vector does not go out of date with what its text is about."""
    if p.batch is not None:
        return p.terms.kinds.get(EMBEDDING, p.terms.rules.default)
    return lifetime.classify(CODECS[p.request.dialect].question(p.request), p.terms.rules)


def _primary(p: Passage) -> bool:
    return bool(p.attempts) and p.attempts[-1].target == p.target.name


def _answer(p: Passage, outcome: Outcome, kind: str, now_s: float, end_user: str) -> Answer:
    return Answer(
        id="a" + p.id[1:],
        form=p.case.form,
        dialect=outcome.dialect,
        scope=p.request.caller.scope,
        model=p.request.model,
        target=p.target.name,
        raw=outcome.raw,
        streamed=outcome.streamed,
        usage=outcome.usage or p.attempts[-1].usage or Usage(),
        priced_at_s=p.view.wall_s,
        created_s=now_s,
        asked_epoch=p.epoch,
        kind=kind,
        revision=p.target.revision,
        route=p.route.name,
        tags=p.request.tags,
        key=p.name,
        client=p.request.caller.client,
        end_user=end_user,
    )
