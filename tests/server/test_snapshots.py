"""Snapshots: sums over workers lose nothing and count nothing twice, and they travel between processes unchanged."""

from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.config import interpret
from pennyworth.engine.counters import BUCKETS_MS, Counters, Histogram
from pennyworth.errors import ConfigError
from pennyworth.money import Money
from pennyworth.outcome import AttemptNote, Latency, Receipt
from pennyworth.ports import StoreUsage
from pennyworth.server.fleet_channel import Ask, Link, SilentError, Tell, answer, pack, refuse, unpack
from pennyworth.server.snapshot import InForce, Snapshot, merge, summed

BEYOND_64_BITS = 2**70


def receipt(number: int, pico: int, served: str = "upstream", layer: str = "exact") -> Receipt:
    note = AttemptNote(target="openai/gpt-4o", status=200, ending="complete")
    return Receipt(
        id=f"r-{number}",
        at_s=1.0,
        scope="local",
        model="gpt-4o",
        served=served,  # type: ignore[arg-type]
        ending="complete",
        status=200,
        attempts=(note,),
        spent=Money(pico),
        would_have_cost=Money(2 * pico),
        saved={layer: Money(pico)},  # type: ignore[dict-item]
        latency=Latency(total_ms=float(pico % 500)),
    )


def usage(entries: int, evictions: int = 0) -> StoreUsage:
    return StoreUsage(entries=entries, bytes=10 * entries, max_entries=100, max_bytes=1000, evictions=evictions)


def snapshot(worker: str, counters: Counters, *, taken_s: float = 10.0, shared: StoreUsage | None = None) -> Snapshot:
    return Snapshot(
        worker=worker,
        pid=1,
        plan="p",
        started_s=4.0,
        taken_s=taken_s,
        rss_bytes=5,
        in_flight=2,
        calls=1,
        draining=False,
        enabled=True,
        control_version=3,
        keys_version=4,
        epoch=1,
        near=usage(7, 1),
        shared=shared,
        store_trouble="",
        price_warnings=(),
        counters=counters,
    )


amounts = st.lists(
    st.tuples(st.integers(-(2**66), 2**66), st.sampled_from(["upstream", "exact", "coalesced"])), max_size=12
)


@given(amounts, st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_receipts_split_over_workers_in_any_way_add_up_to_the_same(
    booked: list[tuple[int, str]], places: list[int]
) -> None:
    together, apart = Counters(), [Counters() for _ in range(4)]
    for number, (pico, served) in enumerate(booked):
        together.book(receipt(number, pico, served))
        apart[places[number]].book(receipt(number, pico, served))
    answered = [snapshot("w0", apart[0]), snapshot("w1", apart[1])]
    overview = merge(answered, since_s=0.0, others=apart[2:])
    assert msgspec.to_builtins(overview.counters) == msgspec.to_builtins(together)


@given(amounts)
def test_summing_leaves_what_it_sums_as_it_was(booked: list[tuple[int, str]]) -> None:
    first, second = Counters(), Counters()
    for number, (pico, served) in enumerate(booked):
        (first if number % 2 else second).book(receipt(number, pico, served))
    before = msgspec.json.encode([first, second])
    total = summed([first, second])
    total.book(receipt(99, 5, "stale"))
    assert msgspec.json.encode([first, second]) == before


def test_a_store_that_workers_share_counts_once_as_the_latest_of_them_saw_it() -> None:
    early = snapshot("w0", Counters(), taken_s=10.0, shared=usage(50, 3))
    late = snapshot("w1", Counters(), taken_s=11.0, shared=usage(52, 4))
    for order in ([early, late], [late, early]):
        assert merge(order, since_s=0.0).shared == usage(52, 4)


def test_memories_of_workers_add_up() -> None:
    overview = merge([snapshot("w0", Counters()), snapshot("w1", Counters())], since_s=0.0)
    assert overview.near == StoreUsage(entries=14, bytes=140, max_entries=200, max_bytes=2000, evictions=2)
    assert overview.shared is None


def test_without_any_worker_there_is_still_an_overview() -> None:
    overview = merge([], since_s=0.0, silent=["w0"])
    assert (overview.near.entries, overview.shared, overview.silent) == (0, None, ("w0",))


def test_the_targets_callers_make_up_do_not_fill_the_memory() -> None:
    counters = Counters()
    for number in range(2000):
        note = AttemptNote(target=f"openai/invented-{number}", status=404, ending="error")
        counters.book(msgspec.structs.replace(receipt(number, 1), attempts=(note,)))
    assert len(counters.upstream_calls) <= 501
    assert sum(counters.upstream_calls.values()) == 2000


def test_histograms_keep_their_buckets_when_they_travel() -> None:
    histogram = Histogram()
    for edge in (*BUCKETS_MS, 10**6):
        histogram.observe(edge)
    assert histogram.counts == [1] * (len(BUCKETS_MS) + 1)
    assert msgspec.json.decode(msgspec.json.encode(histogram), type=Histogram).counts == histogram.counts


async def test_a_snapshot_travels_with_money_beyond_64_bits() -> None:
    counters = Counters()
    counters.book(receipt(1, BEYOND_64_BITS))
    told = snapshot("w0", counters, shared=usage(3))
    ours, theirs = socket.socketpair()
    link = await Link.open(ours)
    answering = asyncio.create_task(answer(theirs, lambda ask: Tell(ask.number, InForce(3, 4), told)))
    (await link.hello(5.0)).check()
    got = (await link.ask("snapshot", 5.0)).snapshot
    assert got is not None
    assert got.counters.spent == BEYOND_64_BITS
    assert msgspec.json.encode(got) == msgspec.json.encode(told)
    link.close()
    await asyncio.wait_for(answering, 5.0)  # the supervisor's end is the worker's


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    ours, theirs = socket.socketpair()
    link = await Link.open(ours)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    with pytest.raises(SilentError, match="does not answer"):
        await link.ask("in_force", 0.02)
    second = asyncio.create_task(link.ask("in_force", 5.0))
    heard = b""
    while heard.count(b"\n") < 2:
        heard += await loop.sock_recv(theirs, 4096)
    numbers = [msgspec.json.decode(line, type=Ask).number for line in heard.splitlines()]
    for number in numbers:
        await loop.sock_sendall(theirs, msgspec.json.encode(Tell(number, InForce(10 * number))) + b"\n")
    assert (await second).in_force.control == 10 * numbers[1]
    theirs.close()
    link.close()


async def test_a_worker_that_owes_many_answers_is_not_asked_again() -> None:
    ours, theirs = socket.socketpair()
    link = await Link.open(ours)
    for _ in range(40):
        with pytest.raises(SilentError):
            await link.ask("in_force", 0.0)
    assert theirs.recv(10**6).count(b"\n") == 16
    theirs.close()
    link.close()


@pytest.mark.parametrize("line", [b"", b"nonsense\n", b'{"type": "hello", "trouble": 5}\n'])
async def test_a_worker_that_ends_or_talks_nonsense_is_gone(line: bytes) -> None:
    ours, theirs = socket.socketpair()
    link = await Link.open(ours)
    theirs.sendall(line)
    theirs.close()
    with pytest.raises(SilentError, match="gone"):
        await link.hello(5.0)
    with pytest.raises(SilentError):
        await link.ask("snapshot", 5.0)
    link.close()


async def test_a_worker_that_cannot_serve_says_why() -> None:
    ours, theirs = socket.socketpair()
    link = await Link.open(ours)
    refuse(theirs, ConfigError("state_dir", "it is full", "Make room."))
    with pytest.raises(ConfigError, match=r"state_dir: it is full\. Make room\."):
        (await link.hello(5.0)).check()
    link.close()


def test_a_plan_arrives_whole_secrets_included() -> None:
    data = {
        "keys": {"team": {"env": "TEAM_KEY"}},
        "providers": {"own": {"base_url": "http://127.0.0.1:9/v1", "key_env": "OWN_KEY", "models": ["*"]}},
        "models": {"m": {"provider": "own", "price": {"input": "0.15", "output": "0.6"}}},
        "switches": {"exact": 25},
    }
    env = {
        "TEAM_KEY": "team-key-0123456789",
        "OWN_KEY": "own-key-0123456789",
        "PENNYWORTH_ADMIN_KEY": "admin-0123456789",
    }
    plan = interpret(data, env)
    arrived = unpack(pack(plan))
    assert arrived == plan
    assert arrived.keys[0].secret.reveal() == env["TEAM_KEY"]
    assert "0123456789" not in repr(arrived)
