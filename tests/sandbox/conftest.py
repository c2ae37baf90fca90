"""One real sandbox on a real socket for the tests of this directory; each test finds its bill and script fresh."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pennyworth.sandbox import SandboxServer, Settings


@pytest.fixture(scope="session")
def running() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=11)) as server:
        yield server


@pytest.fixture
def sandbox(running: SandboxServer) -> SandboxServer:
    running.control.reset()
    return running
