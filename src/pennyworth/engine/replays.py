"""Gives kept answers: rendered once per form, settled, with the headers of a hit."""

from __future__ import annotations

from cachebox import LRUCache

from pennyworth.engine import heads
from pennyworth.engine.books import Books
from pennyworth.engine.passage import Passage, Reply
from pennyworth.money import Basis
from pennyworth.outcome import Answer, Kept, Receipt, Served
from pennyworth.request import Dialect, Request
from pennyworth.wire.rendering import rendered
from pennyworth.wire.translate import CannotSayError

_RENDERED_BYTES = 6 * 2**20


class Replays:
    """Keeps the last rendered forms (6 MiB), since a popular answer is asked for in one form again and again."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._rendered: LRUCache[tuple[str, Dialect, bool, bool], bytes] = LRUCache(
            _RENDERED_BYTES, getsizeof=lambda _, body: len(body) + 200
        )
        self._sums: LRUCache[tuple[str, int, int, Basis], heads.Headers] = LRUCache(2_000)

    def drop(self) -> None:
        self._rendered.clear()

    def give(self, p: Passage, kept: Kept, served: Served) -> Reply:
        """The answer as this caller wants it; the receipt is written first."""
        answer = kept.answer
        body = self.body(p, kept)
        p.ttl_s = max(0.0, kept.expires_s - p.view.wall_s)
        receipt = self._books.settle(p, served=served, ending="complete", status=200, usage=answer.usage, answer=answer)
        return Reply(200, heads.of_hit(p, kept, receipt, self._sums_of(receipt)), body)

    def body(self, p: Passage, kept: Kept) -> bytes:
        """The answer in the form that was asked for."""
        if p.said is not None and p.said[0] is kept.answer and p.said[1] is not None:
            return p.said[1]
        return self._render(kept.answer, p.request)

    def can_say(self, p: Passage, answer: Answer) -> bool:
        """Whether the caller's dialect has words for it."""
        if answer.dialect == p.request.dialect:
            return True
        try:
            p.said = answer, self._render(answer, p.request)
        except CannotSayError:
            return False
        return True

    def _sums_of(self, receipt: Receipt) -> heads.Headers:
        name = (receipt.target, receipt.spent.pico, receipt.would_have_cost.pico, receipt.would_basis)
        sums = self._sums.get(name)
        if sums is None:
            sums = heads.of_sums(receipt)
            self._sums.insert(name, sums)
        return sums

    def _render(self, answer: Answer, request: Request) -> bytes:
        stream, usage, into = request.stream, request.wants_usage, request.dialect
        if stream == answer.streamed and (usage or not stream) and into == answer.dialect:
            return answer.raw
        form = (answer.id, into, stream, usage)
        body = self._rendered.get(form)
        if body is None:
            body = rendered(request, answer.raw, streamed=answer.streamed, origin=answer.dialect)
            if len(body) < _RENDERED_BYTES // 8:
                self._rendered.insert(form, body)
        return body
