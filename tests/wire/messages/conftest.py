from __future__ import annotations

import pytest

from tests.wire.messages.recorded import Row, rows


@pytest.fixture(scope="session", params=["shipped", "whole"])
def recorded(request: pytest.FixtureRequest) -> list[Row]:
    return rows(request.param)
