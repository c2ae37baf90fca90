from __future__ import annotations

import pytest

from tests.wire.recorded import Row
from tests.wire.responses.recorded import rows


@pytest.fixture(scope="session", params=["shipped", "whole"])
def recorded(request: pytest.FixtureRequest) -> list[Row]:
    return rows(request.param)
