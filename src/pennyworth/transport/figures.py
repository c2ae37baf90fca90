"""The statistics of a program's own engine, in the words of the admin port's ``/api/v1/stats``."""

from __future__ import annotations

import msgspec

from pennyworth.server.admin_stats import stats
from pennyworth.server.snapshot import merge, take
from pennyworth.transport.house import House


async def figures(house: House) -> dict[str, object]:
    """``ledger``: everybody's who shares the state directory, all times. ``process``: this engine's own. Everything else as
    there."""
    runtime = house.runtime
    totals = await house.books.totals(0.0)
    about = {"window": "all"} | ({"behind": house.books.behind} if house.books.behind else {})
    snapshot = take(runtime, worker=house.worker, started_s=house.started_s, in_flight=len(runtime.engine.flights))
    overview = merge([snapshot], since_s=house.started_s)
    found = stats(totals[""], about, overview, runtime.state.plan, runtime.state.control)
    plain: dict[str, object] = msgspec.to_builtins(found)
    return plain
