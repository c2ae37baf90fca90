"""One episode: a deployment, its clients, providers and operators, from opening to quiescence, and what the laws say of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import msgspec

from pennyworth.simulation.history import Call
from pennyworth.simulation.laws import Broken, Evidence, Law
from pennyworth.simulation.laws_answers import answers, served
from pennyworth.simulation.laws_books import books, savings
from pennyworth.simulation.laws_receipts import kept_answers, receipts
from pennyworth.simulation.loop import StuckError, VirtualLoop
from pennyworth.simulation.network import Network
from pennyworth.simulation.parts import AS_SHIPPED, Fittings
from pennyworth.simulation.stage import Stage

LAWS: tuple[Law, ...] = (answers, served, receipts, kept_answers, books, savings)


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        wishes: so many requests were wished for; ``requests``: so many found a gateway to ask.
        digest: of the history, the same for the same seed and number of wishes, everywhere.
        served: "served/ending" -> number of receipts. ``calls``: to providers. ``crashes``: of the gateway.
        steps: callbacks that ran. ``seconds``: of simulated time.
    """

    seed: str
    wishes: int
    requests: int
    digest: str
    broken: list[Broken]
    served: dict[str, int]
    calls: int
    crashes: int
    steps: int
    seconds: float


def play(seed: str, requests: int, fittings: Fittings = AS_SHIPPED) -> Episode:
    """Plays the episode of this seed, with so many requests."""
    network = Network()
    loop = VirtualLoop(network)
    stage = Stage(seed, requests, network, loop, fittings)
    collects = gc.isenabled()
    gc.disable()  # when it would run is chance that no seed rules
    try:
        asyncio.set_event_loop(loop)
        stuck = _to_its_end(stage, loop)
        return _verdict(seed, requests, stage, loop, stuck)
    finally:
        stage.bury()
        asyncio.set_event_loop(None)
        loop.close()
        if collects:
            gc.enable()


def _to_its_end(stage: Stage, loop: VirtualLoop) -> list[Broken]:
    try:
        loop.run_until_complete(stage.play())
    except StuckError as error:
        return [Broken("nobody waits for ever", 0, str(error))]
    return []


def _verdict(seed: str, wishes: int, stage: Stage, loop: VirtualLoop, stuck: list[Broken]) -> Episode:
    history = stage.history

    def amount(call: Call, model: str) -> int:
        assert call.line is not None
        return stage.providers[0].sandbox.bill.amount_pico(model, call.line.usage)

    evidence = Evidence(stage.scene, history, amount, stage.severity.quiet)
    found = [broken for law in LAWS for broken in law(evidence)]
    return Episode(
        seed=seed,
        wishes=wishes,
        requests=len(history.asked),
        digest=history.digest(),
        broken=[*stuck, *found, *stage.left_over()],
        served=dict(Counter(f"{receipt.served}/{receipt.ending}" for receipt in history.receipts)),
        calls=len(history.calls),
        crashes=history.crashes,
        steps=loop.steps,
        seconds=loop.time(),
    )
