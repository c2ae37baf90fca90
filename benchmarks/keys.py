"""What a key costs on a hit, in CPU microseconds of this process: doors side by side, asked in turn, so that neighbours
of a busy machine meet all of them alike.

Each door is a whole engine in memory behind its public door; a request is what the connection hands in. *Same head*: the
head and the body come again, as from a connection that is kept. *New head*: both are new bytes of the same question, so
that nothing is remembered but who showed the key.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import msgspec

from benchmarks.questions import MODEL, body
from benchmarks.sheet import Cell, Sheet
from pennyworth.assemble import MEMORY, Runtime, open_runtime
from pennyworth.clients import Allowance, ClientKey
from pennyworth.decide import keys as virtual
from pennyworth.decide.keys import Wanted, sealer
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.plan import Limits, Plan, Provider
from pennyworth.secret import Secret
from pennyworth.server.asked import Asked
from pennyworth.server.public import PublicDoor
from pennyworth.server.request_head import Head, read_head
from pennyworth.testing.scripted import ScriptedUpstream, chat_json, reply

MANY = 1_000
SECRET = "pw-" + "0123456789abcdef" * 3
CONFIGURED = ClientKey(name="app", secret=Secret(SECRET), scope="app")
MODELS = Allowance(models=("gpt-4.1*", "claude-*", "gpt-4o*"))
_NUMBERS = itertools.count()


class Kind(msgspec.Struct, frozen=True):
    """One way to ask. ``wanted``: its virtual key, which stands among ``MANY`` others."""

    name: str
    keys: tuple[ClientKey, ...] = ()
    wanted: Wanted | None = None
    user: bool = False


KINDS = (
    Kind("no key"),
    Kind("a configured key", (CONFIGURED,)),
    Kind("a virtual key of 1,000", wanted=Wanted(name="v", scope="v")),
    Kind("… that may ask 3 patterns of models", wanted=Wanted(name="v", scope="v", allowance=MODELS)),
    Kind("… whose answers stay within an end user", wanted=Wanted(name="v", scope="v", share="user"), user=True),
)


class House:
    """A door with its engine, and what is asked of it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.runtime = _open(kind)
        self.door = PublicDoor(self.runtime.engine, self.runtime.parts.keyring)
        self.body = body("keys")
        self.head = self.new_head(self.body)

    def new_head(self, asked: bytes) -> Head:
        pairs = [(b"host", b"gateway"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(asked))]
        pairs += [(b"authorization", b"Bearer " + SECRET.encode())] if self.kind.keys or self.kind.wanted else []
        pairs += [(b"x-pennyworth-user", b"user-123")] if self.kind.user else []
        target = b"/v1/chat/completions"
        return read_head(method=b"POST", target=target, version="1.1", pairs=pairs, keep_alive=True, limits=Limits())

    def hits(self, asked: list[Asked]) -> float:
        """CPU µs a hit."""
        before = time.process_time_ns()
        for each in asked:
            self.door.answer(each)
        return (time.process_time_ns() - before) / 1e3 / len(asked)

    def same(self, count: int) -> list[Asked]:
        return [Asked(self.head, self.body) for _ in range(count)]

    def new(self, count: int) -> list[Asked]:
        bodies = (body("keys", trace=f"{next(_NUMBERS):012d}") for _ in range(count))
        return [Asked(self.new_head(each), each) for each in bodies]


def run(*, rounds: int = 41, hits: int = 400) -> Sheet:
    """The bench."""
    rows = asyncio.run(_run(rounds, hits))
    return Sheet(
        name="keys",
        title="What a key adds to an exact hit from memory: CPU µs in door and engine, without the connection",
        method=f"{rounds} rounds of {hits} hits at each door in turn; each figure is the median over the rounds, of the hit "
        "and of its difference to that without a key in the same round (quartiles in brackets).",
        rows=rows,
    )


async def _run(rounds: int, hits: int) -> list[dict[str, Cell]]:
    houses = [House(kind) for kind in KINDS]
    try:
        for house in houses:
            await _warm(house)
        gc.freeze()
        columns = {name: list(_rounds(houses, make, rounds, hits)) for name, make in WAYS.items()}
    finally:
        for house in houses:
            await house.runtime.close()
    return [_row(place, kind, columns) for place, kind in enumerate(KINDS)]


WAYS: dict[str, Callable[[House, int], list[Asked]]] = {"same head": House.same, "new head": House.new}


def _rounds(
    houses: list[House], make: Callable[[House, int], list[Asked]], rounds: int, hits: int
) -> Iterator[list[float]]:
    """Each round begins at another door, so that none is always first."""
    for number in range(rounds):
        found = [0.0] * len(houses)
        for place in range(len(houses)):
            at = (place + number) % len(houses)
            found[at] = houses[at].hits(make(houses[at], hits))
        yield found


def _row(place: int, kind: Kind, columns: dict[str, list[list[float]]]) -> dict[str, Cell]:
    row: dict[str, Cell] = {"asked with": kind.name}
    for name, rounds in columns.items():
        row[name] = statistics.median(found[place] for found in rounds)
        low, middle, high = statistics.quantiles([found[place] - found[0] for found in rounds], n=4)
        row[f"added, {name}"] = f"{middle:+.2f} ({low:+.2f} to {high:+.2f})" if place else "0"
    return row


async def _warm(house: House) -> None:
    """The first one asks the provider; from then on every question is a hit, and must be."""
    handled = house.door.answer(Asked(house.head, house.body))
    assert isinstance(handled, Relay)
    await handled.reply()
    handled.close()
    for asked in (*house.same(50), *house.new(50)):
        given = house.door.answer(asked)
        assert isinstance(given, Reply)
        assert dict(given.headers)[b"cache-status"].startswith(b"pennyworth; hit"), given.status


def _open(kind: Kind) -> Runtime:
    provider = Provider(
        name="openai", base_url="http://127.0.0.1:1/v1", credential=Secret("k"), price_provider="openai"
    )
    plan = Plan(
        providers=(provider,), lifetimes=DEFAULT_LIFETIMES, state_dir=MEMORY, keys=kind.keys, allow_anonymous=True
    )
    answered = reply(json=chat_json("yes", model=MODEL, usage=(120, 40)))
    runtime = open_runtime(plan, lambda part, what: print(f"{part}: {what}"), upstream=ScriptedUpstream(then=answered))
    if kind.wanted is not None:
        _make_keys(runtime, kind.wanted)
    runtime.start()
    return runtime


def _make_keys(runtime: Runtime, wanted: Wanted) -> None:
    seal = sealer(runtime.parts.keyring)
    others = [Wanted(name=f"other-{number}", scope="o") for number in range(MANY - 1)]
    made = {each.name: virtual.made(each, f"pw-{each.name}", seal, 1.0) for each in others}
    made[wanted.name] = virtual.made(wanted, SECRET, seal, 1.0)
    runtime.parts.keybook.change(lambda row: msgspec.structs.replace(row, keys=made))
    runtime.tenancy.look()
