"""Gateways in front of a provider, by way of a line that can be told to misbehave."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pytest

from pennyworth.testing.chaos import Faults
from pennyworth.testing.scripted_server import Connection
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running, plan_for
from tests.door.scripted_provider import ScriptedProvider
from tests.engine.conftest import ONCE, MakeHouse, house
from tests.faults.line import BadLine

__all__ = ["MakeHouse", "house"]


class Stage(NamedTuple):
    """``ask`` a question, and hear what the caller hears."""

    running: Running
    line: BadLine
    provider: ScriptedProvider

    def ask(self, text: str, *, stream: bool = False, within_s: float = 10.0) -> RawReply:
        with Wire(self.running.port, within_s) as wire:
            reply = wire.send(post(question(text, stream=stream))).read()
        assert reply is not None
        return reply


MakeStage = Callable[..., Stage]


@pytest.fixture
def stage() -> Iterator[MakeStage]:
    """Makes a gateway that asks a scripted provider by way of a line, once for each question unless told otherwise."""
    with contextlib.ExitStack() as opened:

        def make(
            script: Iterable[Connection] = (),
            *,
            faults: Iterable[Faults] = (),
            always: Faults = (),
            then: Connection | None = None,
            **plan: Any,
        ) -> Stage:
            provider = opened.enter_context(ScriptedProvider(script, then=then))
            line = opened.enter_context(BadLine(provider.base_url, *faults, then=always))
            asked = {"persistence": ONCE, **plan.pop("provider", {})}
            running = opened.enter_context(Running(plan_for(line.base_url, provider=asked, **plan)))
            return Stage(running, line, provider)

        yield make


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def ask_about(_numbers: Iterator[int]) -> Callable[[], str]:
    """Makes questions that nobody has asked before."""
    return lambda: f"What does rule {next(_numbers)} of the house say about lanterns?"
