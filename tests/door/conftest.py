"""One sandbox for the directory, and gateways in front of it or of a script."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from pennyworth.sandbox import SandboxServer, Settings
from pennyworth.testing.scripted_server import Connection
from tests.door.running import Running, plan_for
from tests.door.scripted_provider import ScriptedProvider

MakeGateway = Callable[..., tuple[Running, ScriptedProvider]]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=3)) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(sandbox: SandboxServer) -> Iterator[Running]:
    """In front of the sandbox. What libraries logged meanwhile must be nothing."""
    with Running(plan_for(sandbox.base_url)) as running:
        yield running
        assert running.logged.lines == []
        assert [line for line in running.troubles if not line.startswith("store")] == []


@pytest.fixture(scope="module")
def staged() -> Iterator[tuple[Running, ScriptedProvider]]:
    """A gateway in front of a provider to whose script each test adds what it needs."""
    with ScriptedProvider() as provider, Running(plan_for(provider.base_url)) as running:
        yield running, provider


@pytest.fixture
def scripted() -> Iterator[MakeGateway]:
    """Makes a gateway in front of a scripted provider, and both go with the test."""
    with contextlib.ExitStack() as opened:

        def make(
            script: Iterable[Connection] = (), *, then: Connection | None = None, **plan: Any
        ) -> tuple[Running, ScriptedProvider]:
            provider = opened.enter_context(ScriptedProvider(script, then=then))
            running = opened.enter_context(Running(plan_for(provider.base_url, **plan)))
            return running, provider

        yield make


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def ask_about(_numbers: Iterator[int]) -> Callable[[], str]:
    """Makes questions that nobody has asked before."""
    return lambda: f"What does rule {next(_numbers)} of the house say about umbrellas?"
