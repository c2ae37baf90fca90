"""How many prompt tokens count as cached, by OpenAI's published rule (platform.openai.com/docs/guides/prompt-caching).

Prompts of 1,024 tokens and more; the longest known prefix counts, in steps of 128 tokens; only exact prefixes match;
a prefix is forgotten after some minutes without use. Tenants never share. ``prompt_cache_key`` decides the machine at
the provider, so here it is part of whose prefix it is.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

MINIMUM = 1024
STEP = 128


class PromptCache:
    """Known prefixes, at most ``capacity`` of them: the longest unused are forgotten first."""

    def __init__(self, capacity: int, idle_s: float, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._idle_s = idle_s
        self._clock = clock
        self._used_at: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._used_at)

    def cached_tokens(self, owner: str, tokens: Sequence[str]) -> int:
        """How much of this prompt was known; from now on all of it is."""
        cached, unbroken, oldest = 0, True, self._clock() - self._idle_s
        for length, digest in _prefixes(owner, tokens):
            unbroken = unbroken and self._used_at.get(digest, oldest) > oldest
            cached = length if unbroken else cached
            self._touch(digest)
        return cached

    def clear(self) -> None:
        self._used_at.clear()

    def _touch(self, digest: bytes) -> None:
        self._used_at[digest] = self._clock()
        self._used_at.move_to_end(digest)
        if len(self._used_at) > self._capacity:
            self._used_at.popitem(last=False)


def _prefixes(owner: str, tokens: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Each prefix that may be cached, shortest first, with a digest that chains over the one before."""
    digest, start = owner.encode(), 0
    for end in range(MINIMUM, len(tokens) + 1, STEP):
        text = "\x00".join(tokens[start:end]).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(digest + b"\x00" + text, digest_size=16).digest()
        yield end, digest
        start = end
