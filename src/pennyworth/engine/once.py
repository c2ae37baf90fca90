"""Requests that bear an ``Idempotency-Key``: made once, and their first result given to whoever sends the key again.

A promise is committed before the request is served. Its flight then has one reader more, who takes down what the caller
gets and goes on reading when the caller has left: a caller who asks again after a timeout finds the answer paid for.
"""

from __future__ import annotations

import asyncio
import hmac

from pennyworth.decide import once
from pennyworth.decide.admit import Refuse
from pennyworth.decide.key import Keyring
from pennyworth.engine import heads
from pennyworth.engine.books import Books
from pennyworth.engine.flight import WHOLE, Flight
from pennyworth.engine.giving import all_at_once, all_events, cut_off
from pennyworth.engine.passage import Passage, Reply
from pennyworth.engine.relay import Relay
from pennyworth.engine.replays import Replays
from pennyworth.engine.state import State
from pennyworth.errors import StoreError
from pennyworth.mac import Mac
from pennyworth.outcome import Ending
from pennyworth.ports import FirstResult, Idempotency, Promise

_SAID = {"other": once.OTHER_BODY, "running": once.IN_PROGRESS, "unknown": once.UNKNOWN, "not_kept": once.NOT_KEPT}


class _Running:
    """One that this process makes at present. ``flight`` comes as soon as there is one; ``None`` where there is none."""

    def __init__(self, seal: bytes) -> None:
        self.seal = seal
        self.flight: asyncio.Future[Flight | None] = asyncio.get_running_loop().create_future()


class Once:
    def __init__(self, state: State, book: Idempotency, books: Books, replays: Replays, keyring: Keyring) -> None:
        self._state = state
        self._book = book
        self._books = books
        self._replays = replays
        self._keyring = keyring
        self._mac = Mac(keyring.derive("idempotency"))
        self._running: dict[bytes, _Running] = {}

    async def begin(self, p: Passage) -> Reply | Refuse | Flight | None:
        """What is to be given instead of making the request; a flight is to be joined. ``None``: it is to be made, and
        ``made`` or ``not_made`` is to be called."""
        promise = self._promise(p)
        while (running := self._running.get(promise.key)) is not None:
            if not hmac.compare_digest(running.seal, promise.seal):
                return once.OTHER_BODY
            if (flight := await asyncio.shield(running.flight)) is not None:  # others wait for it too
                p.retried = True
                p.reason = "joined the request in flight with the same Idempotency-Key"
                return flight
        try:
            found = self._book.begin(promise, p.view.wall_s)
        except StoreError as error:
            self._state.trouble("idempotency", str(error))
            return once.UNAVAILABLE
        if found.state == "begun":
            self._running[promise.key] = _Running(promise.seal)
            p.once = promise.key
            p.retried = True  # one call for one key: a defect of ours is not mended by another
            return None
        return self._again(p, found.result) if found.result is not None else _SAID[found.state]

    def made(self, p: Passage, given: Reply | Relay) -> None:
        """The request is being served: its result is taken down when it is there."""
        running = self._running[p.once]
        if isinstance(given, Relay):
            running.flight.set_result(given.flight)
            _Taker(self, p, given.flight)
        elif p.receipt is None:
            self.not_made(p)  # refused by us: asking again is free
        else:
            self._end(p, _result(p, given.status, given.headers[0], given.body, p.receipt.target))

    def not_made(self, p: Passage) -> None:
        """Nothing was paid, so the key is free again."""
        self._close(p)
        key, p.once = p.once, b""
        try:
            self._book.drop(key)
        except StoreError as error:
            self._state.trouble("idempotency", str(error))

    def landed(self, p: Passage, flight: Flight) -> None:
        """The reply is there to its end."""
        if flight.aborted or flight.defective:
            return self._close(p)  # cut off by ourselves: what the provider did and charged is not known
        if flight.stand_in is None:
            assert flight.outcome is not None
            if not once.is_result(flight.outcome, p.attempts):
                return self.not_made(p)
        return self._end(p, self._taken(p, flight))

    def _taken(self, p: Passage, flight: Flight) -> FirstResult:
        """The very bytes that the caller gets."""
        kept, outcome, request = flight.stand_in, flight.outcome, p.request
        if kept is not None:
            kind = heads.EVENTS if request.stream else heads.JSON
            return _result(p, 200, kind, self._replays.body(p, kept), kept.answer.target)
        assert outcome is not None
        p.answering = flight.target or p.target
        if request.stream and flight.fed:
            end = cut_off(p, outcome) if outcome.ending == "cut" else b""
            body = all_events(p, flight) + end
            return _result(p, 200, heads.EVENTS, body, p.answering.name)
        status, body = all_at_once(p, outcome)
        return _result(p, status, heads.type_of(p, flight.headers, outcome), body, p.answering.name)

    def _again(self, p: Passage, first: FirstResult) -> Reply:
        p.reason = f"the first result of this Idempotency-Key, of {first.receipt}"
        ending: Ending = "complete" if first.status < 400 else "error"
        receipt = self._books.settle(p, served="replayed", ending=ending, status=first.status)
        return Reply(first.status, heads.of_first(receipt, first), first.body)

    def _end(self, p: Passage, result: FirstResult) -> None:
        self._close(p)
        small = len(result.body) <= p.view.plan.cache.max_answer_bytes
        try:
            self._book.finish(p.once, result if small else None)
        except StoreError as error:
            self._state.trouble("idempotency", str(error))

    def _close(self, p: Passage) -> None:
        running = self._running.pop(p.once, None)
        if running is not None and not running.flight.done():
            running.flight.set_result(None)

    def _promise(self, p: Passage) -> Promise:
        request = p.request
        return Promise(
            key=once.row_key(self._mac, request),
            seal=once.body_seal(self._mac, request),
            until_s=p.view.wall_s + p.view.plan.limits.idempotency_s,
            scope=request.caller.scope,
            client=request.caller.client,
            end_user=self._keyring.pseudonym("end user", request.end_user) if request.end_user else "",
        )


def _result(p: Passage, status: int, kind: tuple[bytes, bytes], body: bytes, target: str) -> FirstResult:
    return FirstResult(status, kind[1].decode("latin-1"), body, p.id, target)


class _Taker:
    """The reader who takes the reply down. It is told first, so that the result stands before its last byte is out."""

    def __init__(self, once: Once, p: Passage, flight: Flight) -> None:
        self._once = once
        self._p = p
        self._flight = flight
        flight.join()
        flight.took(WHOLE)  # nobody's slow reading holds it up, and nothing of it is let go
        self._look()

    def _look(self) -> None:
        flight = self._flight
        whole = flight.outcome is not None and flight.fed and flight.outcome.ending != "cut"
        if flight.over or whole:
            self._once.landed(self._p, flight)
            flight.leave()
        else:
            flight.watch(self._look)
