"""A recorded stream cut at every byte, through a whole engine: what may pass for a whole reply, by the plainest reading,
and what the engine made of it.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pennyworth.request import Caller, Request
from pennyworth.testing.scripted import Reply, fail, stream
from pennyworth.wire import chat
from tests.engine.conftest import Heard, House, hear, open_house
from tests.wire.recorded import Row

_LINE_ENDS = re.compile(rb"\r\n|\r|\n")


class Cut(NamedTuple):
    """The first ``at`` bytes come; then the connection breaks, or (not ``hard``) the provider ends the body in order."""

    at: int
    hard: bool


class WronglyWholeError(AssertionError):
    """A part was given or kept as if it were the whole."""


def whole(part: bytes, choices: set[int]) -> tuple[bool, bool]:
    """Whether every choice has ended in what came, and whether ``[DONE]`` did."""
    ended: set[int] = set()
    *events, _ = b"\n".join(_LINE_ENDS.split(part)).split(b"\n\n")
    for event in events:
        data = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
        if data == b"[DONE]":
            return choices <= ended, True
        for choice in (json.loads(data).get("choices") or ()) if data.startswith(b"{") else ():
            if choice.get("finish_reason"):
                ended.add(choice.get("index", 0))
    return choices <= ended, False


def may_pass(row: Row, cut: Cut) -> bool:
    """Whether the part is all that there is to say: every choice has ended, and so has the stream."""
    choices = {choice.get("index", 0) for chunk in row.chunks for choice in chunk.get("choices") or ()}
    ended, done = whole(row.raw[: cut.at], choices)
    return bool(choices) and ended and (done or not cut.hard)


def offsets(row: Row, short: int, sample: int) -> list[int]:
    """All of a short stream; of a long one the neighbours of some ends of lines, its end, and some by chance."""
    length = len(row.raw)
    if length <= short:
        return list(range(length + 1))
    chance = random.Random(row.id)
    ends = [found.end() for found in _LINE_ENDS.finditer(row.raw)]
    near = {end + by for end in chance.sample(ends, min(len(ends), sample // 4)) for by in (-2, -1, 0, 1)}
    return sorted({*near, *range(length - 60, length + 1), *chance.sample(range(length), sample)} - {length + 1})


def told_of_an_error(heard: Heard) -> bool:
    """In the caller's dialect: a status and an error body, or an error event at the end of the stream."""
    if heard.status >= 400:
        return bool(json.loads(heard.body)["error"]["message"])
    last = heard.body.rstrip(b"\n").rpartition(b"\n")[2]
    return b"[DONE]" not in heard.body and last.startswith(b"data: {") and b'"error"' in last


def script(row: Row, cut: Cut, chance: random.Random) -> Reply:
    """The part in pieces, as sockets bring it."""
    part = row.raw[: cut.at]
    places = sorted(chance.randrange(len(part) + 1) for _ in range(chance.choice((0, 1, 4))))
    pieces = [part[start:end] for start, end in zip([0, *places], [*places, len(part)], strict=True)]
    return stream([*pieces, fail("reset")] if cut.hard else pieces)


async def tried(row: Row, cuts: Iterable[Cut], seed: str = "") -> Counter[str]:
    """Every cut, one question each; how they ended. Raises ``WronglyWholeError``."""
    chance, ends, wholes = random.Random(f"{row.id} {seed}"), Counter[str](), 0
    house = open_house()
    try:
        for number, cut in enumerate(cuts):
            allowed = may_pass(row, cut)
            house.upstream.play(script(row, cut, chance))
            heard = await hear(await house.engine.handle(_asking(row, number)))
            wholes += allowed
            ends[_judged(row, cut, heard, house, allowed)] += 1
            if house.runtime.parts.store.usage().entries > wholes:
                raise WronglyWholeError(f"{row.id} {cut}: kept")
        if house.troubles or len(house.engine.flights) or house.upstream.open_exchanges:
            raise WronglyWholeError(f"{row.id}: left behind: {house.troubles}")
    finally:
        await house.runtime.close()
    return ends


def _judged(row: Row, cut: Cut, heard: Heard, house: House, allowed: bool) -> str:
    receipt = house.runtime.parts.ledger.receipts(1)[0]
    broken = receipt.ending in ("cut", "error")
    if not allowed and not (told_of_an_error(heard) and broken):
        raise WronglyWholeError(f"{row.id} {cut}: {receipt.ending}, {heard.status} {heard.body[-200:]!r}")
    if broken and receipt.status == 200 and not told_of_an_error(heard):
        raise WronglyWholeError(f"{row.id} {cut}: the books say {receipt.ending}, the caller was told of nothing")
    if cut.at == len(row.raw) and allowed and broken:
        raise WronglyWholeError(f"{row.id}: whole, and yet {receipt.ending}")
    return "an HTTP error" if heard.status >= 400 else "an error event" if broken else f"whole: {receipt.ending}"


def _asking(row: Row, number: int) -> Request:
    asked = row.request or {}
    body = {name: asked[name] for name in ("n", "stream_options") if name in asked}
    body |= {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": f"cut {number}"}]}
    return chat.read_request(json.dumps(body).encode(), {}, Caller("local"))
