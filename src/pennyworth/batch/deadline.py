"""The way of a batch that has a deadline: kept answers, then providers' batch APIs; what is left afterwards is asked
directly, in the last part of the time."""

from __future__ import annotations

import time
from collections.abc import Callable

from pennyworth.assemble import Runtime
from pennyworth.batch.anthropic import AnthropicBatches
from pennyworth.batch.api import BatchApi
from pennyworth.batch.calls import Calls
from pennyworth.batch.desk import Desk
from pennyworth.batch.lanes import Lanes
from pennyworth.batch.openai import OpenAIBatches
from pennyworth.batch.sorting import Sorting
from pennyworth.batch.tide import Tide
from pennyworth.batch.work import Work
from pennyworth.plan import Provider


async def let_wait(
    work: Work,
    desk: Desk,
    runtime: Runtime,
    *,
    deadline_s: float,
    poll_s: float,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    tell: Callable[[], None],
) -> None:
    """Returns when no batch of ours is under way at a provider, or it is to stop.

    ``deadline_s``: 0 = nothing new is handed in; what another run has handed in is collected all the same.
    """
    if deadline_s and work.card.deadline_s != deadline_s:  # the same command again does not begin the day anew
        work.keep.write(deadline_s=deadline_s, due_s=time.time() + deadline_s)
    tide = Tide(
        due_s=work.card.due_s,
        deadline_s=work.card.deadline_s,
        poll_s=poll_s,
        halt=desk.halt,
        books=(runtime.waiting, runtime.parts.ledger, runtime.parts.folder),
        caller=desk.caller,
        say=say,
        warn=warn,
        tell=tell,
    )
    upstream = runtime.parts.upstream

    def apis(provider: Provider, path: str) -> BatchApi:
        calls = Calls(upstream, provider, desk.caller)
        return AnthropicBatches(calls) if path == "/messages" else OpenAIBatches(calls)

    lanes = Lanes(work, desk, runtime.waiting, apis, tide)
    await lanes.recover()
    if deadline_s and not tide.is_late():
        await Sorting(work, desk, runtime.waiting, lanes, apis, tide).run()
    await lanes.collect()
    say("")
