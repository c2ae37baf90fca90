"""What follows the control row and the keys goes on whatever happens: a revocation that nobody sees lets somebody in."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pennyworth.engine import background
from pennyworth.engine.background import Background
from pennyworth.errors import StoreError
from pennyworth.stores.control import MemoryControl
from pennyworth.view import Control
from tests.engine.conftest import MakeHouse


class FailsOnce(MemoryControl):
    """A row whose second reading fails so."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self.reads = 0

    def read(self) -> Control:
        self.reads += 1
        if self.reads == 2:
            raise self._error
        return super().read()


@pytest.mark.parametrize("error", [StoreError("the disk is gone"), ZeroDivisionError()])
async def test_the_row_is_followed_on_whatever_a_reading_of_it_fails_with(
    house: MakeHouse, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(background, "POLL_S", 0.0)
    h, row = await house(), FailsOnce(error)
    following = Background(h.runtime.state, row, h.runtime.parts.store, h.runtime.tenancy)
    following.start()
    for _ in range(20):
        await asyncio.sleep(0)
    assert row.reads > 2
    row.change(lambda control: msgspec.structs.replace(control, enabled=False))
    for _ in range(100):
        await asyncio.sleep(0)
    await following.stop()
    assert not h.runtime.state.control.enabled
    assert any(trouble.startswith("control: ") for trouble in h.troubles)
