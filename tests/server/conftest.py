"""One sandbox for the directory, and one gateway a module, each test with questions of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pennyworth.sandbox import SandboxServer, Settings
from tests.server.gateways import GatewayThread, plan_for


@pytest.fixture(scope="session")
def provider() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=5)) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(provider: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayThread]:
    """In this process; two routes, of which ``strict`` is for gpt-4o alone."""
    routes = [{"name": "strict", "models": ["gpt-4o"]}, {"name": "rest", "models": ["*"]}]
    plan = plan_for(tmp_path_factory.mktemp("gateway"), provider.base_url, routes=routes)
    with GatewayThread(plan) as running:
        yield running


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def question(_numbers: Iterator[int]) -> Callable[[], str]:
    """Makes questions that nobody has asked before."""
    return lambda: f"What does rule {next(_numbers)} of the house say?"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"
