"""A scripted provider and a library in front of it, and questions that nobody has asked before."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from pennyworth import Pennyworth
from pennyworth.testing.scripted_server import Connection
from tests.door.running import plan_for
from tests.door.scripted_provider import ScriptedProvider

MakeLibrary = Callable[..., tuple[Pennyworth, ScriptedProvider]]


@pytest.fixture
def make() -> Iterator[MakeLibrary]:
    """Makes a library in front of a scripted provider, and both go with the test."""
    with contextlib.ExitStack() as opened:

        def made(
            script: Iterable[Connection] = (), *, then: Connection | None = None, **plan: Any
        ) -> tuple[Pennyworth, ScriptedProvider]:
            provider = opened.enter_context(ScriptedProvider(script, then=then))
            return opened.enter_context(Pennyworth(plan_for(provider.base_url, **plan))), provider

        yield made


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def ask_about(_numbers: Iterator[int]) -> Callable[[], str]:
    return lambda: f"What does rule {next(_numbers)} of the house say about umbrellas?"
