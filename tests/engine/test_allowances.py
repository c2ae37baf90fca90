"""What keys, teams and everybody may spend: set aside before a call, settled after it, refused beyond."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pennyworth.clients import Allowance, Budget, ClientKey, Team
from pennyworth.decide import allowance, worst
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.money import Money, Price, Rate
from pennyworth.plan import ModelSpec, Persistence, Provider, Route
from pennyworth.ports import Account, Bill, Standing
from pennyworth.quotas.memory import MemoryQuotas
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.testing.scripted import chat_events, chat_json, fail, reply, stream
from pennyworth.wire import chat
from tests.engine.conftest import Heard, House, MakeHouse, hear

IN, OUT = 150_000, 600_000
"""Picodollars a token of gpt-4o-mini."""

ANSWER = reply(json=chat_json("fine", usage=(20, 10)))
COST = 20 * IN + 10 * OUT


def plan(**allowances: Allowance) -> dict[str, Any]:
    """``alice`` of team ``search``, and what she, the team and everyone may do."""
    own = allowances.get("own", Allowance())
    return {
        "keys": (
            ClientKey(name="alice", secret=Secret("sk-alice"), scope="s", team="search", allowance=own),
            ClientKey(name="bob", secret=Secret("sk-bob"), scope="s", team="search"),
        ),
        "teams": (Team(name="search", allowance=allowances.get("team", Allowance())),),
        "everyone": allowances.get("everyone", Allowance()),
        "allow_anonymous": False,
    }


def budget(pico: int, period: Any = "day", **more: Any) -> Allowance:
    return Allowance(budgets=(Budget(period=period, amount=str(Money(pico))),), **more)


async def begin(h: House, question: str = "hi", who: str = "alice", **fields: Any) -> Reply | Relay:
    caller = Caller("s", client=who, team="search")
    return await h.engine.handle(chat.read_request(body_of(question, **fields), {}, caller))


def body_of(question: str, **fields: Any) -> bytes:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}], "max_tokens": 10, **fields}
    return json.dumps(body).encode()


async def ask(h: House, question: str = "hi", who: str = "alice", **fields: Any) -> Heard:
    return await hear(await begin(h, question, who, **fields))


def worst_of(question: str = "hi", **fields: Any) -> int:
    need = worst.bound(chat.read_request(body_of(question, **fields), {}, Caller("s")))
    return need.into * IN + need.out * OUT


async def stand(h: House, subject: str = "key:alice", unit: Any = "pico", period: Any = "day") -> Standing:
    await h.runtime.accounts.report(all_back=True)
    since, until = allowance.window(period, h.clock.now_s)
    return h.runtime.parts.accounts.standing(Account(subject, unit, since, until))


async def test_a_call_is_settled_to_what_it_cost_on_every_account_of_its_caller(house: MakeHouse) -> None:
    h = await house(then=ANSWER, **plan(own=budget(10**9), team=budget(10**9, "month"), everyone=budget(10**9)))
    assert (await ask(h)).status == 200
    assert h.last().spent.pico == COST
    assert await stand(h) == Standing(COST, 0)
    assert await stand(h, "team:search", period="month") == Standing(COST, 0)
    assert await stand(h, "everyone") == Standing(COST, 0)


async def test_hits_and_followers_use_no_budget(house: MakeHouse) -> None:
    go = asyncio.Event()
    h = await house([reply(json=chat_json("fine", usage=(20, 10)), head=go)], **plan(own=budget(worst_of())))
    first, second = await begin(h), await begin(h)
    go.set()
    assert (await hear(first)).status == (await hear(second)).status == 200
    assert (await ask(h)).status == 200
    assert [receipt.served for receipt in h.receipts()] == ["upstream", "coalesced", "exact"]
    assert await stand(h) == Standing(COST, 0)


async def test_a_call_that_might_cost_more_than_is_left_is_refused_in_words(house: MakeHouse) -> None:
    h = await house(**plan(own=budget(worst_of() - 1)))
    heard = await ask(h)
    assert heard.status == 429
    error = json.loads(heard.body)["error"]
    assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")
    assert "the key 'alice'" in error["message"]
    assert f"{Money(worst_of() - 1)} USD" in error["message"]
    assert "renewed at 2026-09-22 00:00 UTC" in error["message"]
    assert heard.headers["x-should-retry"] == "false"
    assert "retry-after" not in heard.headers
    assert (h.last().ending, h.last().client, h.last().team) == ("refused", "alice", "search")
    assert h.runtime.state.counters.limited == {"budget/refuse": 1}


async def test_what_is_set_aside_for_calls_under_way_is_not_given_twice(house: MakeHouse) -> None:
    go = asyncio.Event()
    held = reply(json=chat_json("fine", usage=(20, 10)), head=go)
    h = await house([held, ANSWER, ANSWER], **plan(own=budget(2 * worst_of("a") - 1)))
    first = await begin(h, "a")
    assert (await ask(h, "b")).status == 429
    go.set()
    await hear(first)
    assert (await ask(h, "b")).status == 200
    assert await stand(h) == Standing(2 * COST, 0)


@pytest.mark.parametrize("ending", ["failure", "caller leaves", "stale"])
async def test_nothing_stays_set_aside_however_a_request_ends(house: MakeHouse, ending: str) -> None:
    never = asyncio.Event()
    script = {"failure": [fail("connect")], "caller leaves": [reply(head=never)], "stale": [ANSWER, fail("connect")]}
    routes = (Route(stale_if_error_s=3600, ttl_s=10),) if ending == "stale" else (Route(),)
    once = (provider(persistence=Persistence(tries=1)),)
    h = await house(script[ending], **plan(own=budget(10 * worst_of())), routes=routes, providers=once)
    if ending == "caller leaves":
        relay = await begin(h)
        assert isinstance(relay, Relay)
        await asyncio.sleep(0)
        relay.close()
        await asyncio.sleep(0.01)
    elif ending == "stale":
        await ask(h)
        h.clock.now_s += 60
        assert (await ask(h)).status == 200
        assert h.last().served == "stale"
    else:
        assert (await ask(h)).status == 502
    spent = sum(receipt.spent.pico for receipt in h.receipts())
    assert await stand(h) == Standing(spent, 0)


async def test_a_retry_after_a_paid_attempt_is_set_aside_for_too(house: MakeHouse) -> None:
    """The first reply breaks off and is paid for; the second does not fit any more, and is not made."""
    broken = stream([*chat_events(["x" * 400], usage=None)[:1], fail("reset")])
    fits = budget(2 * worst_of(stream=True))
    h = await house([broken, ANSWER], **plan(own=fits), providers=(provider(persistence=Persistence(pause_s=0.0)),))
    assert (await ask(h, stream=True)).status == 200
    spent = h.last().spent.pico
    assert len(h.upstream.calls) == 2
    assert await stand(h) == Standing(spent, 0)
    tight = await house(
        [broken, ANSWER],
        **plan(own=budget(worst_of(stream=True) + 1)),
        providers=(provider(persistence=Persistence(pause_s=0.0)),),
    )
    heard = await ask(tight, stream=True)
    assert heard.status >= 500
    assert len(tight.upstream.calls) == 1


@pytest.mark.parametrize(("room", "calls"), [(1.9, 31), (2.0, 32)])
async def test_a_hedge_is_made_only_if_the_budget_covers_both_calls(house: MakeHouse, room: float, calls: int) -> None:
    late, slow = asyncio.Event(), "a question that takes long"
    script = [ANSWER] * 30 + [reply(json=chat_json("late", usage=(20, 10)), head=late), ANSWER]
    own = budget(30 * COST + int(room * worst_of(slow)))
    h = await house(script, routes=(Route(hedge=True, sampled=True),), **plan(own=own))
    for number in range(30):
        assert (await ask(h, f"warm {number}")).status == 200
    asking = asyncio.create_task(ask(h, slow))
    if calls == 32:
        await h.upstream.until_calls(32)
    else:
        await asyncio.sleep(0.05)
        late.set()
    assert (await asking).status == 200
    assert len(h.upstream.calls) == calls
    assert (await stand(h)).leased == 0


async def test_a_dearer_fallback_is_asked_only_if_the_budget_covers_it(house: MakeHouse) -> None:
    dearer = ModelSpec(name="dear", provider="other", price=Price(input=Rate(Decimal(99)), output=Rate(Decimal(99))))
    settings: dict[str, Any] = {
        "providers": (provider(persistence=Persistence(tries=1)), provider(name="other")),
        "models": {"dear": dearer},
        "routes": (Route(fallbacks=("dear",)),),
    }
    for amount, status in ((worst_of(), 502), (10**12, 200)):
        h = await house([fail("connect"), ANSWER], **settings, **plan(own=budget(amount)))
        assert (await ask(h)).status == status
        assert len(h.upstream.calls) == (1 if status == 502 else 2)
        assert await stand(h) == Standing(h.last().spent.pico, 0)


async def test_output_without_a_cap_is_settled_in_full_even_beyond_the_budget(house: MakeHouse) -> None:
    h = await house(
        [reply(json=chat_json("long", usage=(20, 50_000))), ANSWER],
        **plan(own=budget(worst_of(max_tokens=None) + 50_000)),
    )
    assert (await ask(h, max_tokens=None)).status == 200
    assert await stand(h) == Standing(20 * IN + 50_000 * OUT, 0)
    assert (await ask(h, "more")).status == 429


async def test_at_a_used_up_budget_kept_answers_are_given_only_where_the_key_says_so(house: MakeHouse) -> None:
    for at_limit, status in (("refuse", 429), ("cache_only", 200)):
        h = await house([ANSWER], **plan(own=budget(worst_of("other"), at_limit=at_limit)))
        assert (await ask(h, "kept")).status == 200
        assert (await ask(h, "other")).status == 429
        assert (await ask(h, "kept")).status == status
        assert (await ask(h, "kept", who="bob")).status == 200


async def test_a_downgrade_asks_the_named_model_and_the_receipt_says_what_it_saved(house: MakeHouse) -> None:
    own = ModelSpec(name="ours", provider="openai", price=Price(input=Rate(Decimal(0)), output=Rate(Decimal(0))))
    h = await house(
        then=ANSWER, models={"ours": own}, **plan(own=budget(worst_of() - 1, at_limit="downgrade", downgrade_to="ours"))
    )
    heard = await ask(h)
    assert heard.status == 200
    assert heard.headers["x-pennyworth-model"] == "openai/ours"
    assert json.loads(h.upstream.calls[0].body)["model"] == "ours"
    receipt = h.last()
    assert (receipt.model, receipt.target) == ("gpt-4o-mini", "openai/ours")
    assert receipt.saved == {"routing": Money(COST)}
    assert "ours asked instead" in receipt.reason
    assert (await ask(h)).status == 200
    assert (h.last().served, h.last().saved) == ("exact", {"exact": Money(COST)})
    assert len(h.upstream.calls) == 1
    assert await stand(h) == Standing(0, 0)


async def test_a_downgrade_that_does_not_fit_either_is_refused(house: MakeHouse) -> None:
    h = await house(**plan(own=budget(5, at_limit="downgrade", downgrade_to="gpt-4.1-nano")))
    assert (await ask(h)).status == 429
    assert h.last().model == "gpt-4o-mini"


async def test_the_strictest_of_own_team_and_everyone_decides(house: MakeHouse) -> None:
    h = await house(
        **plan(
            own=budget(1, at_limit="downgrade", downgrade_to="gpt-4.1-nano"),
            team=budget(1, at_limit="cache_only"),
            everyone=budget(2),
        )
    )
    assert "all callers together" in json.loads((await ask(h)).body)["error"]["message"]


async def test_a_model_without_a_price_is_not_asked_under_a_budget(house: MakeHouse) -> None:
    h = await house(then=ANSWER, **plan(own=budget(10**9)))
    heard = await ask(h, model="nobody-knows-me")
    assert (heard.status, json.loads(heard.body)["error"]["code"]) == (403, "unpriced_under_budget")
    assert (await ask(h, who="bob", model="nobody-knows-me")).status == 200


async def test_requests_are_counted_by_the_minute_hits_included(house: MakeHouse) -> None:
    h = await house([ANSWER], **plan(own=Allowance(requests_per_minute=3)))
    assert [(await ask(h)).status for _ in range(5)] == [200, 200, 200, 429, 429]
    heard = await ask(h)
    assert json.loads(heard.body)["error"]["code"] == "rate_limit_exceeded"
    wait_s = int(heard.headers["retry-after"])
    assert 1 <= wait_s <= 60
    assert "x-should-retry" not in heard.headers
    h.clock.now_s += wait_s
    assert (await ask(h)).status == 200
    assert [receipt.ending for receipt in h.receipts()].count("refused") == 3


async def test_beyond_a_rate_kept_answers_or_another_model_may_be_asked(house: MakeHouse) -> None:
    h = await house([ANSWER], **plan(own=Allowance(requests_per_minute=1, at_limit="cache_only")))
    assert [(await ask(h)).status for _ in range(3)] == [200, 200, 200]
    assert (await ask(h, "other")).status == 429
    allowed = Allowance(requests_per_minute=1, at_limit="downgrade", downgrade_to="gpt-4.1-nano")
    h = await house(then=ANSWER, **plan(own=allowed))
    assert [(await ask(h, q)).headers["x-pennyworth-model"] for q in ("a", "b")] == [
        "openai/gpt-4o-mini",
        "openai/gpt-4.1-nano",
    ]


async def test_tokens_are_counted_by_the_minute_as_the_provider_counts_them(house: MakeHouse) -> None:
    big = reply(json=chat_json("fine", usage=(20, 180)))
    h = await house([big, ANSWER], **plan(own=Allowance(tokens_per_minute=200)))
    assert (await ask(h, "a")).status == 200
    assert (await ask(h, "b")).status == 429
    assert await stand(h, unit="tokens", period="minute") == Standing(200, 0)
    h.clock.now_s += 60
    assert (await ask(h, "b")).status == 200


async def test_a_budget_is_renewed_with_the_day_and_the_month_once(house: MakeHouse) -> None:
    h = await house(then=ANSWER, **plan(own=budget(worst_of("q1"))))
    since, until = allowance.window("day", h.clock.now_s)
    assert (await ask(h, "q1")).status == 200
    assert (await ask(h, "q2")).status == 429
    await stand(h)
    h.clock.now_s = until - 0.5
    assert (await ask(h, "q3")).status == 429
    h.clock.now_s = until
    assert (await ask(h, "q4")).status == 200
    assert (await ask(h, "q5")).status == 429
    yesterday = h.runtime.parts.accounts.standing(Account("key:alice", "pico", since, until))
    assert yesterday.used == COST


async def test_a_budget_set_in_the_middle_of_its_window_counts_what_was_spent_already(
    house: MakeHouse, tmp_path: Path
) -> None:
    before = await house(then=ANSWER, state_dir=str(tmp_path), **plan())
    assert [(await ask(before, who=who, question=who)).status for who in ("alice", "bob")] == [200, 200]
    assert before.runtime.parts.folder is not None
    before.runtime.parts.folder.flush()
    h = await house(then=ANSWER, state_dir=str(tmp_path), **plan(own=budget(COST + worst_of("new") - 1)))
    assert (await ask(h, "new")).status == 429
    h = await house(then=ANSWER, state_dir=str(tmp_path), **plan(own=budget(COST + worst_of("new"))))
    assert (await ask(h, "new")).status == 200
    assert await stand(h) == Standing(2 * COST, 0)


async def test_a_call_is_settled_in_the_window_it_began_in(house: MakeHouse) -> None:
    go = asyncio.Event()
    h = await house([reply(json=chat_json("fine", usage=(20, 10)), head=go)], **plan(own=budget(10**9)))
    since, until = allowance.window("day", h.clock.now_s)
    relay = await begin(h)
    h.clock.now_s = until + 5
    go.set()
    await hear(relay)
    assert await stand(h) == Standing(0, 0)
    assert h.runtime.parts.accounts.standing(Account("key:alice", "pico", since, until)) == Standing(COST, 0)
    assert since <= h.last().at_s < until


@contextmanager
def broken_accounts(folder: Path) -> Iterator[None]:
    """The file of the accounts is not what it should be, meanwhile."""
    with closing(sqlite3.connect(folder / "quotas.db", isolation_level=None)) as db:
        parts = db.execute(
            "SELECT sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY type DESC"
        ).fetchall()
        for view in ("asks", "bills"):
            db.execute(f"DROP VIEW {view}")
        yield
        for (part,) in parts:
            if "burial" not in part:
                db.execute(part)


async def test_while_the_accounts_cannot_be_read_whoever_has_limits_is_refused(
    house: MakeHouse, tmp_path: Path
) -> None:
    h = await house(then=ANSWER, state_dir=str(tmp_path), **plan(own=budget(10**9)))
    with broken_accounts(tmp_path):
        heard = await ask(h)
        assert (heard.status, json.loads(heard.body)["error"]["code"]) == (503, "budget_unavailable")
        assert heard.headers["retry-after"] == "1"
        assert (await ask(h, "a", who="bob")).status == 200
        assert (await ask(h, "b")).status == 503
    assert len([trouble for trouble in h.troubles if "quotas.db" in trouble]) == 1
    assert (await ask(h, "c")).status == 503
    h.clock.now_s += 2
    assert (await ask(h, "c")).status == 200


async def test_a_report_that_fails_is_made_again(house: MakeHouse, tmp_path: Path) -> None:
    h = await house(then=ANSWER, state_dir=str(tmp_path), **plan(own=budget(10**9)))
    await ask(h)
    with broken_accounts(tmp_path):
        await h.runtime.accounts.report()
    assert any("reported later" in trouble for trouble in h.troubles)
    assert await stand(h) == Standing(COST, 0)


async def test_what_is_not_needed_is_given_back_within_about_a_second(house: MakeHouse) -> None:
    h = await house(then=ANSWER, **plan(own=budget(10**9)))
    await ask(h)
    for _ in range(6):
        await h.runtime.accounts.report()
    since, until = allowance.window("day", h.clock.now_s)
    assert h.runtime.parts.accounts.standing(Account("key:alice", "pico", since, until)) == Standing(COST, 0)


async def test_somebody_without_limits_is_not_looked_at(house: MakeHouse) -> None:
    h = await house(then=ANSWER, **plan(own=budget(1)))
    assert (await ask(h, who="bob")).status == 200
    assert h.runtime.state.counters.limited == {}


def provider(name: str = "openai", **more: Any) -> Provider:
    return Provider(name=name, base_url="http://127.0.0.1:1/v1", credential=Secret("sk"), **more)


async def test_a_model_asked_beyond_a_keys_rate_still_counts_for_the_tokens_of_its_team(house: MakeHouse) -> None:
    own = Allowance(requests_per_minute=1, at_limit="downgrade", downgrade_to="gpt-4.1-nano")
    large = reply(json=chat_json("fine", usage=(80, 10)))
    h = await house(then=large, **plan(own=own, team=Allowance(tokens_per_minute=100)))
    assert (await ask(h, "a")).status == 200
    beyond = await ask(h, "b")
    assert (beyond.status, b"100 tokens a minute for the team 'search'" in beyond.body) == (429, True)


class BreaksOnce(MemoryQuotas):
    """Has a defect that shows once."""

    broken = False

    def settle(self, bills: Sequence[Bill]) -> Sequence[Standing]:
        if not self.broken:
            self.broken = True
            raise ZeroDivisionError
        return super().settle(bills)


async def test_what_a_defect_kept_from_being_reported_is_reported_later(house: MakeHouse) -> None:
    h = await house(then=ANSWER, **plan(own=budget(10**9)))
    shared = h.runtime.accounts._quotas = BreaksOnce()
    assert (await ask(h, "a")).status == 200
    with pytest.raises(ZeroDivisionError):
        await h.runtime.accounts.report()
    assert (await ask(h, "b")).status == 200
    await h.runtime.accounts.report(all_back=True)
    account = Account("key:alice", "pico", *allowance.window("day", h.clock.now_s))
    assert shared.standing(account) == Standing(2 * COST, 0)


CLAUDE = Provider(
    name="anthropic",
    base_url="http://anthropic.test/v1",
    credential=Secret("sk"),
    models=("claude-*",),
    dialects=("messages",),
    persistence=Persistence(tries=1),
)


async def test_a_cap_that_a_translation_puts_in_is_set_aside_for(house: MakeHouse) -> None:
    """Anthropic wants a cap, so a question in chat completions without one is sent with the longest there is."""
    h = await house(then=ANSWER, providers=(CLAUDE,), **plan(own=budget(900 * 10**9)))
    heard = await ask(h, model="claude-sonnet-4-5", max_tokens=None)
    assert heard.status == 429
    assert not h.upstream.calls
    assert (await ask(h, model="claude-sonnet-4-5", max_tokens=9)).status != 429


async def test_a_model_named_for_this_that_has_no_words_for_the_request_leaves_the_limit_standing(
    house: MakeHouse,
) -> None:
    openai = Provider(
        name="openai",
        base_url="http://openai.test/v1",
        credential=Secret("sk"),
        models=("gpt-*",),
        persistence=CLAUDE.persistence,
    )
    own = budget(1, at_limit="downgrade", downgrade_to="claude-sonnet-4-5")
    h = await house(then=ANSWER, providers=(openai, CLAUDE), **plan(own=own))
    heard = await ask(h, seed=7)
    assert (heard.status, json.loads(heard.body)["error"]["code"]) == (429, "insufficient_quota")
    assert not h.upstream.calls
