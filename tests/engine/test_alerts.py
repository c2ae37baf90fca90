"""What people are told: once a share, a period and an account, in the log and at the webhook; never at a request's cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennyworth.decide import allowance
from pennyworth.engine.alerts import Alerts
from pennyworth.errors import UpstreamError
from pennyworth.money import Money
from pennyworth.ports import Call
from pennyworth.quotas.memory import MemoryQuotas
from pennyworth.secret import Secret
from pennyworth.testing.scripted import Fail, Reply, ScriptedUpstream, chat_json, fail, reply
from pennyworth.upstreams.http import HttpUpstream
from pennyworth.upstreams.webhook import Webhook
from tests.engine.conftest import House, MakeHouse
from tests.engine.test_allowances import ask, budget, plan

HOOK = Secret("https://hooks.example.com/services/T0/secret-part?token=secret-query")
ANSWER = reply(json=chat_json("fine", usage=(20, 10)))
COST = 20 * 150_000 + 10 * 600_000


class Hook:
    """The provider and the webhook at once; ``posted`` is what the webhook was sent."""

    def __init__(self, *replies: Reply | Fail) -> None:
        self.posted: list[Any] = []
        self.paths: list[str] = []
        self._replies = list(replies)

    def __call__(self, call: Call) -> Reply | Fail:
        if call.target.name != "alerts/webhook":
            return ANSWER
        self.paths.append(call.target.provider.base_url + call.path)
        answer = self._replies.pop(0) if self._replies else reply(200, body=b"ok")
        if isinstance(answer, Reply) and answer.status == 200:
            self.posted.append(json.loads(call.body))
        return answer


async def told(h: House, look: Callable[[], bool]) -> bool:
    await h.runtime.accounts.report()
    for _ in range(4000):
        if look():
            return True
        await asyncio.sleep(0.005)
    return False


async def test_each_share_of_a_budget_is_told_once(house: MakeHouse) -> None:
    hook = Hook()
    own = budget(10 * COST, alert_at=(0.5, 0.8))
    h = await house(then=hook, alert_webhook=HOOK, **plan(own=own))
    for number in range(6):
        await ask(h, f"q{number}")
    assert await told(h, lambda: len(hook.posted) == 1)
    for number in range(6, 9):
        await ask(h, f"q{number}")
        await h.runtime.accounts.report()
    assert await told(h, lambda: len(hook.posted) == 2)
    await ask(h, "no further share is reached")
    await h.runtime.accounts.report()
    await h.runtime.alerts.close()
    assert len(hook.posted) == 2
    first = hook.posted[0]
    assert (first["kind"], first["subject"], first["facts"]["share"]) == ("budget", "key:alice", 0.5)
    assert first["facts"]["used_usd"] == str(Money(6 * COST))
    assert "The key 'alice' has used" in first["text"]
    assert hook.paths[0] == HOOK.reveal()
    assert h.runtime.state.counters.alerts == {"budget": 2}
    assert len([said for said in h.troubles if said.startswith("alert: ")]) == 2


async def test_a_new_day_is_told_anew(house: MakeHouse) -> None:
    hook = Hook()
    h = await house(then=hook, alert_webhook=HOOK, **plan(own=budget(10 * COST, alert_at=(0.1,))))
    for day in range(2):
        await ask(h, f"day {day}")
        assert await told(h, lambda: len(hook.posted) == day + 1)  # noqa: B023  # asked at once
        h.clock.now_s = allowance.window("day", h.clock.now_s)[1]


async def test_a_budget_into_which_no_call_fits_any_more_is_told_as_used_up(house: MakeHouse) -> None:
    hook = Hook()
    h = await house(then=hook, alert_webhook=HOOK, **plan(own=budget(COST - 1, alert_at=(1.0,))))
    assert (await ask(h)).status == 429
    assert await told(h, lambda: len(hook.posted) == 1)
    assert "what is left no longer covers a call" in hook.posted[0]["text"]
    assert "100 %" not in hook.posted[0]["text"]


async def test_workers_and_restarts_tell_of_it_once_together(house: MakeHouse, tmp_path: Path) -> None:
    hooks = [Hook(), Hook(), Hook()]
    settings = {"alert_webhook": HOOK, "state_dir": str(tmp_path), **plan(own=budget(50 * COST, alert_at=(0.02,)))}
    for hook in hooks:
        h = await house(then=hook, **settings)
        await ask(h, f"{id(hook)}")
        await h.runtime.accounts.report()
        await h.runtime.alerts.close()
    assert [len(hook.posted) for hook in hooks] == [1, 0, 0]


async def test_a_webhook_that_fails_is_tried_again_and_its_secret_is_not_logged(house: MakeHouse) -> None:
    h = await house()
    hook = Hook(reply(500), fail("connect", "no connection"), reply(200, body=b"ok"))
    alerts = _alerts(h, hook, (0.0, 0.0))
    alerts.raise_("account_exhausted", "openai", "The account at openai has no money left.", {"since": 3})
    assert await told(h, lambda: len(hook.posted) == 1)
    assert hook.posted[0]["facts"] == {"since": 3}
    never = Hook(*[reply(302, headers={"location": "https://elsewhere"})] * 3)
    _alerts(h, never, (0.0, 0.0)).raise_("budget", "everyone", "All of it is used.")
    assert await told(h, lambda: any("webhook" in trouble for trouble in h.troubles))
    assert len(never.paths) == 3
    assert "secret" not in "".join(h.troubles)


def _alerts(h: House, hook: Hook, pauses_s: tuple[float, ...]) -> Alerts:
    upstream = ScriptedUpstream(then=hook)
    report = lambda part, what: h.troubles.append(f"{part}: {what}")  # noqa: E731
    return Alerts(h.runtime.state, MemoryQuotas(), report, lambda _: Webhook(upstream, HOOK).send, pauses_s)


async def test_what_was_told_of_an_occasion_is_not_told_again_until_it_is_over(house: MakeHouse) -> None:
    h = await house()
    hook = Hook()
    alerts = _alerts(h, hook, ())
    for until in (100.0, 100.0, 200.0):
        alerts.raise_("account_exhausted", "openai", "No money left.", once="exhausted/openai", until_s=until)
        await alerts.close()
    assert len(hook.posted) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://user:password@127.0.0.1:9/x"])
async def test_an_address_with_a_password_does_not_stand_in_an_error(url: str) -> None:
    upstream = HttpUpstream()
    with pytest.raises(UpstreamError) as refused:
        await Webhook(upstream, Secret(url)).send(b"{}")
    assert "password" not in refused.value.message
    await upstream.close()
