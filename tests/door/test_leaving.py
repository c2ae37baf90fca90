"""Callers who go away at any moment, and callers who read slowly: nothing is left behind, nothing grows without end."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable

import pytest

from pennyworth.sandbox import Latency, SandboxServer, Settings
from pennyworth.testing.chat_bytes import chat_events, chat_json, event
from pennyworth.testing.scripted_server import (
    await_close,
    connection,
    deaf,
    http_head,
    read_request,
    send,
    until,
)
from tests.door.conftest import MakeGateway
from tests.door.raw import Wire, post, question
from tests.door.running import Running, eventually, open_files, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream

Ask = Callable[[], str]
EVENTS = chat_events(["Hel", "lo"], usage=(9, 2))
BEGUN = last_stream(EVENTS[:2], ended=False)
ABORTS, AT_ONCE = 500, 50


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_caller_who_leaves_before_the_reply_closes_the_providers_connection(scripted: MakeGateway, stream: bool):
    running, provider = scripted([connection(await_close())])
    with Wire(running.port) as wire:
        wire.send(post(question(stream=stream)))
        assert eventually(lambda: len(provider.requests) == 1)
    assert eventually(lambda: provider.playing == 0, 1.0)
    assert eventually(lambda: running.flights() == 0)
    receipt = running.last()
    assert (receipt.ending, receipt.status, receipt.basis) == ("caller_left", 499, "estimated")
    assert receipt.spent, "the provider has read it, so it may be on the bill"


def test_a_caller_who_leaves_while_the_provider_still_reads_his_body_leaves_nothing_behind(scripted: MakeGateway):
    running, provider = scripted([deaf(await_close())])
    with Wire(running.port) as wire:
        wire.send(post(question("x" * 8_000_000)))
        assert eventually(lambda: running.flights() == 1)
        assert eventually(lambda: provider.connections == 1)
    assert eventually(lambda: running.flights() == 0, 1.0)
    assert running.last().ending == "caller_left"


def test_a_caller_who_leaves_in_the_middle_of_a_stream_closes_the_providers_connection(scripted: MakeGateway):
    running, provider = scripted([connection(send(BEGUN), await_close())])
    with Wire(running.port) as wire:
        wire.send(post(question(stream=True)))
        assert b"200 OK" in wire.socket.recv(4096)
    assert eventually(lambda: provider.playing == 0, 1.0)
    receipt = running.last()
    assert (receipt.ending, receipt.basis) == ("caller_left", "estimated")
    assert receipt.usage is not None
    assert receipt.usage.output > 0


def test_a_caller_who_leaves_ends_nothing_for_the_others(scripted: MakeGateway):
    go_on = asyncio.Event()
    rest = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in EVENTS[2:]) + b"0\r\n\r\n"
    running, provider = scripted([connection(send(BEGUN), until(go_on), send(rest))])
    with Wire(running.port) as first, Wire(running.port) as second, Wire(running.port) as third:
        for wire in (first, second, third):
            wire.send(post(question(stream=wire is not third)))
            assert wire is third or b"200" in wire.socket.recv(12)
        assert eventually(lambda: running.connections() == 3)
        first.socket.close()
        assert eventually(lambda: running.connections() == 2)
        assert provider.playing == 1
        provider.release(go_on)
        stream = b""
        while b"data: [DONE]" not in stream:
            stream += second.socket.recv(65536)
        whole = third.read()
    assert whole is not None
    assert whole.status == 200
    assert b'"Hello"' in whole.body
    assert provider.connections == 1
    endings = Counter((receipt.served, receipt.ending) for receipt in running.receipts())
    assert endings[("coalesced", "complete")] == 2
    assert sum(bool(receipt.spent) for receipt in running.receipts()) == 1


def test_five_hundred_callers_who_leave_at_random_leave_nothing_behind(ask_about: Ask):
    """No task, no flight, no connection; one receipt each; and the next caller is served. No file either, but the idle
    connections to the provider that wait for work: at most as many as were open at once, with both ends in here."""
    pace = Latency(first_token_s=0.01, tokens_per_s=500.0)
    with SandboxServer(Settings(seed=2, latency=pace)) as sandbox, Running(plan_for(sandbox.base_url)) as running:
        _warm(running, ask_about())
        tasks, files, before = running.tasks(), open_files(), len(running.receipts())
        asyncio.run(leave_at_random(running, [ask_about() for _ in range(ABORTS)], AT_ONCE))
        assert eventually(lambda: running.flights() == 0 and running.connections() == 0)
        assert eventually(lambda: running.tasks() <= tasks), running.look(lambda: list(map(repr, asyncio.all_tasks())))
        assert eventually(lambda: open_files() <= files + 2 * AT_ONCE + 10)
        receipts = running.receipts()[before:]
        assert len({receipt.id for receipt in receipts}) == len(receipts) == ABORTS
        endings = Counter(receipt.ending for receipt in receipts)
        assert endings["caller_left"] > ABORTS / 4, endings
        assert endings["complete"] > ABORTS / 50, endings
        assert set(endings) == {"caller_left", "complete"}, endings
        assert running.troubles == []
        assert running.logged.lines == []
        _warm(running, ask_about())


def _warm(running: Running, text: str) -> None:
    with Wire(running.port) as wire:
        reply = wire.send(post(question(text))).read()
        assert reply is not None
        assert reply.status == 200


async def leave_at_random(running: Running, texts: list[str], at_once: int) -> None:
    """One caller a text, most of whom do not wait for the end of the reply."""
    rng, turns = random.Random(7), asyncio.Semaphore(at_once)

    async def one(text: str) -> None:
        async with turns:
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post(question(text, stream=rng.random() < 0.7)))
            await writer.drain()
            await asyncio.sleep(rng.choice((0.005, 0.02, 0.04, 0.1, 0.4)))
            if rng.random() < 0.5:
                writer.transport.abort()
            else:
                writer.close()

    await asyncio.gather(*map(one, texts))


def test_a_slow_reader_holds_the_provider_back_and_costs_little_memory(scripted: MakeGateway):
    """64 MB are on offer to somebody who does not read: what is taken in stays bounded, and others are served."""
    piece = event({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}) * 30
    flood = [send(http_head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"}))]
    flood += [send(b"%x\r\n%s\r\n" % (len(piece), piece))] * 2000
    quick = connection(send(last_reply(chat_json("quick"))))
    running, provider = scripted([connection(*flood), quick], limits={"max_reply_bytes": 2**27})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(running.port) as lazy, Wire(running.port) as other:
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.send(post(question("slowly", stream=True)))
        assert eventually(lambda: _is_still(running))
        taken = running.look(lambda: [flight.pushed for flight in running.runtime.engine.flights.all()])
        assert len(taken) == 1
        assert taken[0] < 8 * 2**20, "what the sockets on the way hold, and a little more"
        reply = other.send(post(question("quickly"))).read()
        assert reply is not None
        assert reply.status == 200
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 40, f"{grown:.0f} MB"
    assert eventually(lambda: provider.playing == 0, 2.0)


def test_a_caller_who_takes_no_more_is_given_up_and_so_is_the_call(scripted: MakeGateway):
    piece = event({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}) * 30
    flood = [send(http_head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"}))]
    flood += [send(b"%x\r\n%s\r\n" % (len(piece), piece))] * 2000
    limits = {"max_reply_bytes": 2**27, "stall_timeout_s": 0.3}
    running, provider = scripted([connection(*flood)], limits=limits)
    with Wire(running.port) as lazy:
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.send(post(question("never read", stream=True)))
        assert eventually(lambda: bool(provider.requests))
        assert eventually(lambda: provider.playing == 0)
        assert eventually(lambda: running.connections() == 0)
    assert running.last().ending == "caller_left"


def _is_still(running: Running) -> bool:
    """Whether the flight has stopped growing: its reader holds it back."""

    def pushed() -> int:
        return sum(flight.pushed for flight in running.runtime.engine.flights.all())

    first = running.look(pushed)
    time.sleep(0.3)
    return first > 0 and running.look(pushed) == first


def test_a_thousand_identical_questions_at_once_are_one_call(scripted: MakeGateway):
    """And all get the same bytes."""
    go_on = asyncio.Event()
    script = [connection(until(go_on), send(last_reply(chat_json("one for all"))))]
    running, provider = scripted(script)
    bodies = asyncio.run(_all_at_once(running, provider, go_on, 1000))
    assert Counter(bodies) == {chat_json("one for all"): 1000}
    assert len(provider.requests) == 1


async def _all_at_once(running: Running, provider: ScriptedProvider, go_on: asyncio.Event, number: int) -> list[bytes]:
    sent = post(question("everybody"))

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return body

    asking = [asyncio.ensure_future(one()) for _ in range(number)]
    while running.connections() < number:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    provider.release(go_on)
    return await asyncio.gather(*asking)


def test_identical_questions_that_may_not_be_shared_do_not_wait_for_each_other(scripted: MakeGateway):
    go_on = asyncio.Event()
    then = connection(until(go_on), send(last_reply(chat_json("each his own"))))
    running, provider = scripted(then=then)
    with Wire(running.port) as one, Wire(running.port) as two:
        for wire in (one, two):
            wire.send(post(question("same"), "Cache-Control: no-store"))
        assert eventually(lambda: len(provider.requests) == 2)
        provider.release(go_on)
        assert all((reply := wire.read()) and reply.status == 200 for wire in (one, two))


def test_a_reply_longer_than_the_sockets_hold_waits_for_its_reader(scripted: MakeGateway):
    long = chat_json("long " * 2_000_000)
    running, _ = scripted([connection(send(last_reply(long)), read_request())])
    with Wire(running.port) as wire:
        wire.send(post(question("at length")))
        time.sleep(0.2)
        reply = wire.read()
    assert reply is not None
    assert reply.body == long
