"""How many prompt tokens come from the prompt cache and go into it, by Anthropic's published rules
(platform.claude.com/docs/en/build-with-claude/prompt-caching).

Up to four blocks are marked; each mark writes the prefix that ends with it, for five minutes or an hour. A prefix is read
where it ends at a mark or at one of the twenty blocks before one. Prefixes below a minimum, which depends on the model, are
neither. Tools come first, then the system prompt, then the messages; what was read is kept on. Tenants never share.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pennyworth.sandbox.bill import Tokens
from pennyworth.sandbox.tokens import MEDIA_TOKENS, split

_LOOK_BACK = 20
_TTL_S: Mapping[str, float] = {"5m": 300.0, "1h": 3600.0}
_MINIMUMS = (("haiku-4", 4096), ("opus-4-5", 4096), ("opus-4-6", 4096), ("haiku", 2048))
_MINIMUM = 1024
_PRIMING = ("<|start|>", "assistant", "<|message|>")


class Block(NamedTuple):
    """A piece of the prompt. ``ttl``: how long it is marked to be kept up to here, "" = it is not marked.
    ``beside``: what is no text and yet makes another prefix of it."""

    tokens: tuple[str, ...]
    ttl: str = ""
    beside: str = ""


def minimum_of(model: str) -> int:
    return next((least for part, least in _MINIMUMS if part in model), _MINIMUM)


def blocks_of(fields: Mapping[str, Any]) -> list[Block]:
    """The prompt of a request, as the model would see it."""
    found = [_block(tool, split(_json(tool))) for tool in fields.get("tools") or ()]
    system = fields.get("system")
    if system:
        found += list(_content("system", system))
    changes = {name: fields[name] for name in ("tool_choice", "thinking") if name in fields}
    found.append(Block((), beside=_json(changes)))
    for message in fields["messages"]:
        found += _content(message["role"], message["content"])
    if (mark := fields.get("cache_control")) is not None:
        found[-1] = found[-1]._replace(ttl=mark.get("ttl", "5m"))
    return [*found, Block(_PRIMING)]


class MarkedPrompts:
    """Known prefixes, at most ``capacity`` of them: the longest unused are forgotten first."""

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._ttls: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def count(self, owner: str, blocks: Sequence[Block], minimum: int) -> Tokens:
        """The input of this prompt, by how it is charged; from now on what is marked in it is known."""
        ends = list(_ends(owner, blocks))
        marked = [at for at, block in enumerate(blocks) if block.ttl and ends[at][0] >= minimum]
        read = self._longest(ends, marked, minimum)
        for at in marked:
            self._keep(ends[at][1], _TTL_S[blocks[at].ttl])
        last = ends[marked[-1]][0] if marked else 0
        hours = max((ends[at][0] for at in marked if blocks[at].ttl == "1h"), default=0)
        return Tokens(
            input=ends[-1][0], cached=read, written=max(last - read, 0), written_1h=max(min(hours, last) - read, 0)
        )

    def _longest(self, ends: list[tuple[int, bytes]], marked: list[int], minimum: int) -> int:
        """Tokens of the longest prefix that is known; it is known for as long again as it was to be."""
        places = {at for mark in marked for at in range(max(mark - _LOOK_BACK, 0), mark + 1)}
        for at in sorted(places, reverse=True):
            length, digest = ends[at]
            until, ttl_s = self._ttls.get(digest, (0.0, 0.0))
            if length >= minimum and until > self._clock():
                self._keep(digest, ttl_s)
                return length
        return 0

    def _keep(self, digest: bytes, ttl_s: float) -> None:
        until, known_s = self._ttls.get(digest, (0.0, 0.0))
        if until > self._clock():
            ttl_s = max(ttl_s, known_s)
        self._ttls[digest] = (self._clock() + ttl_s, ttl_s)
        self._ttls.move_to_end(digest)
        if len(self._ttls) > self._capacity:
            self._ttls.popitem(last=False)


def _ends(owner: str, blocks: Sequence[Block]) -> Iterator[tuple[int, bytes]]:
    """Where each block ends: tokens up to there, and a digest that chains over the blocks before."""
    digest, length = owner.encode(), 0
    for block in blocks:
        length += len(block.tokens)
        text = "\x00".join([*block.tokens, "", block.beside]).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(digest + b"\x00" + text, digest_size=16).digest()
        yield length, digest


def _content(role: str, content: Any) -> Iterator[Block]:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for place, part in enumerate(parts):
        before = ["<|start|>", *split(role), "<|message|>"] if not place else []
        after = ["<|end|>"] if place == len(parts) - 1 else []
        yield _block(part, [*before, *_tokens(part), *after])


def _block(part: Mapping[str, Any], tokens: list[str]) -> Block:
    mark = part.get("cache_control")
    return Block(tuple(tokens), mark.get("ttl", "5m") if isinstance(mark, dict) else "")


def _tokens(part: Mapping[str, Any]) -> list[str]:
    match part.get("type"):
        case "text":
            return split(part["text"])
        case "thinking" | "redacted_thinking":
            return []
        case "tool_use":
            return split(f"{part.get('name')} {_json(part.get('input'))}")
        case "tool_result":
            content = part.get("content") or ""
            inner = [{"type": "text", "text": content}] if isinstance(content, str) else content
            return [token for one in inner for token in _tokens(one)]
    digest = hashlib.blake2b(_json(part).encode(), digest_size=8).hexdigest()
    return [f"<|media:{digest}|>"] * MEDIA_TOKENS


def _json(value: Any) -> str:
    """Without marks: where a prompt is marked makes no other prompt of it."""
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name != "cache_control"}
    return msgspec.json.encode(value, order="sorted").decode()
