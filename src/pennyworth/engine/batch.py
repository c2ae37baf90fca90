"""One request for several things at once, on its way: which of its items are kept, which are asked for, what came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pennyworth.decide.shares import shares
from pennyworth.decide.tokens import estimate_item
from pennyworth.outcome import Kept, Outcome
from pennyworth.request import Key, Request
from pennyworth.wire.embeddings import reply
from pennyworth.wire.embeddings.items import items_in, subset
from pennyworth.wire.embeddings.reply import Part


class Fresh(NamedTuple):
    """A vector that has come. ``tokens``: its share of what the provider counted."""

    part: Part
    tokens: int


class Batch:
    """Filled in by ``Items``.

    Attributes:
        keys: of each item, in the order asked. Two items that are the same have the same.
        found, stale: kept answers by key: good ones, and expired ones that may stand in for an error.
        places: the items that are asked of the provider, each once. ``request``: what is sent for them.
        fresh: what came, by key, once that has been put together with what was found.
    """

    __slots__ = ("_whole", "found", "fresh", "items", "keys", "places", "request", "stale")

    def __init__(self, request: Request) -> None:
        self._whole = request
        self.request = request
        self.items: list[Any] = items_in(request.fields)
        self.keys: list[Key] = []
        self.found: dict[Key, Kept] = {}
        self.stale: dict[Key, Kept] = {}
        self.fresh: dict[Key, Fresh] = {}
        self.places: Sequence[int] = range(request.n)

    @property
    def parted(self) -> bool:
        """Less is sent than was asked for: items are kept, or stand twice."""
        return self.request is not self._whole

    @property
    def told(self) -> str:
        """For the receipt."""
        kept = sum([key in self.found for key in self.keys])
        if kept:
            return f"{kept} of {len(self.keys)} items were kept"
        return (
            f"{len(self.places)} different items of {len(self.keys)} were asked for"
            if self.parted
            else "no kept answer"
        )

    def ask_missing(self) -> None:
        """Only what is not kept is to be sent, and that once."""
        first: dict[Key, int] = {}
        for place, key in enumerate(self.keys):
            if key not in self.found:
                first.setdefault(key, place)
        self.places = list(first.values())
        if 0 < len(self.places) < len(self.keys):
            self.request = subset(self._whole, self.places)

    def ask_all(self) -> None:
        """The request is to be sent as it came after all, and its reply given as it comes."""
        self.request, self.places = self._whole, range(len(self.keys))
        self.found, self.fresh = {}, {}

    def part(self, key: Key) -> Part:
        """Its vector."""
        fresh = self.fresh.get(key)
        return fresh.part if fresh else reply.part_of(self.found[key].answer.raw)

    def tokens(self, key: Key) -> int:
        """What its vector took to make, whenever that was."""
        fresh = self.fresh.get(key)
        return fresh.tokens if fresh else self.found[key].answer.usage.input

    def came(self, outcome: Outcome, tokens: int) -> Iterator[tuple[Key, Fresh]]:
        """The vectors that were asked for, one by one, since there may be thousands. ``outcome``: the request's, complete.
        ``tokens``: of what was asked for."""
        return iter(self.fresh.items()) if self.fresh else self._read(outcome, tokens)

    def _read(self, outcome: Outcome, tokens: int) -> Iterator[tuple[Key, Fresh]]:
        weights = [estimate_item(self.items[place]) for place in self.places]
        came = zip(self.places, reply.parts(outcome.raw), shares(tokens, weights), strict=True)
        for place, part, share in came:
            yield self.keys[place], Fresh(part, share)
