"""Every fault, seen from a plain HTTP client: the bytes that come, how they end, and what the bill says."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from pennyworth.sandbox import BillLine, Latency, Rule, SandboxServer, Settings, check_answer

KEY = "Bearer sk-a"


def body(fault: str = "", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"hello {fault}"}], **more}


def streamed(fault: str = "", **more: Any) -> dict[str, Any]:
    return body(fault, stream=True, stream_options={"include_usage": True}, **more)


@pytest_asyncio.fixture
async def session(sandbox: SandboxServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        sandbox.url, headers={"authorization": KEY}, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=10)
    ) as session:
        yield session


def post(session: aiohttp.ClientSession, fields: dict[str, Any]) -> Any:
    return session.post("/v1/chat/completions", json=fields)


async def events(session: aiohttp.ClientSession, fields: dict[str, Any]) -> list[str]:
    async with post(session, fields) as reply:
        assert reply.status == 200
        return split(await reply.read())


def split(raw: bytes) -> list[str]:
    return [line.removeprefix("data: ") for line in raw.decode().split("\n\n") if line]


async def billed(sandbox: SandboxServer) -> BillLine:
    """The one line on the bill, once it is there: a client may know the end of a stream before the sandbox does."""
    while True:
        lines = await asyncio.to_thread(lambda: list(sandbox.control.bill()))
        if lines:
            (line,) = lines
            return line
        await asyncio.sleep(0.005)


async def read_until_break(reply: aiohttp.ClientResponse) -> bytes:
    """What comes before the connection breaks; a body that ends properly fails the test."""
    received = b""
    try:
        async for chunk in reply.content.iter_any():
            received += chunk
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
        return received
    raise AssertionError(f"the body ended properly after {len(received)} bytes")


async def silent(reply: aiohttp.ClientResponse) -> bool:
    """Whether neither bytes nor an end come any more."""
    try:
        async with asyncio.timeout(0.05):
            await reply.content.readany()
    except TimeoutError:
        return True
    return False


def finishes(found: list[str]) -> list[str]:
    chunks = [json.loads(event) for event in found if event.startswith('{"id"')]
    return [c["finish_reason"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]]


async def test_a_stream_without_faults_is_whole(sandbox, session):
    found = await events(session, streamed())
    assert found[-1] == "[DONE]"
    assert json.loads(found[-2])["usage"]["completion_tokens"] > 0
    assert finishes(found) == ["stop"]
    line = await billed(sandbox)
    assert (line.completed, line.billed, line.stream) == (True, True, True)


async def test_retry_after_comes_in_seconds_or_as_a_date_or_as_nonsense(sandbox, session):
    sandbox.control.script(
        [Rule(kind="status", status=429, retry_after=value, times=1) for value in ("7", "date+5", "soon")]
    )
    values = []
    for _ in range(3):
        async with post(session, body()) as reply:
            assert reply.status == 429
            values.append((reply.headers["retry-after"], reply.headers["date"]))
    assert (values[0][0], values[2][0]) == ("7", "soon")
    wait = parsedate_to_datetime(values[1][0]) - parsedate_to_datetime(values[1][1])
    assert 3 <= wait.total_seconds() <= 7


@pytest.mark.parametrize("fields", [body("FAULT:reset"), streamed("FAULT:reset")])
async def test_a_reset_before_the_head_gives_not_one_byte(sandbox, session, fields):
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(session, fields)
    line = await billed(sandbox)
    assert (line.fault, line.status, line.billed, line.amount_pico) == ("reset", 0, False, 0)


async def test_a_hanging_provider_is_settled_when_the_client_goes(sandbox, session):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await post(session, body("FAULT:hang"))
    line = await billed(sandbox)
    assert (line.fault, line.billed) == ("hang", False)
    assert sandbox.control.stats()["in_flight"] == 0


async def test_a_stream_that_stalls_gives_so_many_events_and_then_nothing(sandbox, session):
    async with post(session, streamed("FAULT:stall=5")) as reply:
        received = b""
        while received.count(b"\n\n") < 5:
            received += await reply.content.readany()
        assert await silent(reply)
        assert len(split(received)) == 5
        reply.close()
    line = await billed(sandbox)
    assert (line.fault, line.billed, line.completed) == ("stall", False, False)


async def test_a_json_reply_that_stalls_gives_half_of_itself(sandbox, session):
    async with post(session, body("FAULT:stall")) as reply:
        half = int(reply.headers["content-length"]) // 2
        assert len(await reply.content.readexactly(half)) == half
        assert await silent(reply)
        reply.close()
    assert not (await billed(sandbox)).billed


@pytest.mark.parametrize("abort", [False, True])
async def test_a_stream_cut_after_some_events_breaks_without_finish_usage_or_end(sandbox, session, abort):
    sandbox.control.script([Rule(kind="cut", after=6, abort=abort)])
    async with post(session, streamed()) as reply:
        found = split(await read_until_break(reply))
    assert len(found) <= 6 if abort else len(found) == 6
    assert finishes(found) == []
    line = await billed(sandbox)
    assert (line.fault, line.billed, line.amount_pico, line.usage.output) == ("cut", False, 0, 5)


async def test_a_stream_can_be_cut_at_every_byte(sandbox, session):
    async with post(session, streamed(max_tokens=2)) as reply:
        template = await reply.read()
    for at_byte in range(0, len(template) + 40, 23):
        sandbox.control.script([Rule(kind="cut", at_byte=at_byte)])
        async with post(session, streamed(max_tokens=2)) as reply:
            received = await read_until_break(reply)
        assert len(received) == min(at_byte, len(template))


async def test_a_cut_never_reaches_the_finish_however_late(sandbox, session):
    async with post(session, streamed("FAULT:cut=100000")) as reply:
        assert finishes(split(await read_until_break(reply))) == []


@pytest.mark.parametrize("fault", ["body_cut=25", "cut"])
async def test_a_json_body_shorter_than_its_content_length_breaks(sandbox, session, fault):
    async with post(session, body(f"FAULT:{fault}")) as reply:
        received = await read_until_break(reply)
    promised = int(reply.headers["content-length"])
    assert len(received) == (25 if fault == "body_cut=25" else promised // 2)
    assert not (await billed(sandbox)).billed


async def test_done_may_come_without_a_finish_reason_and_is_not_charged(sandbox, session):
    found = await events(session, streamed("FAULT:done_without_finish"))
    assert (found[-1], finishes(found)) == ("[DONE]", [])
    assert all(json.loads(event)["usage"] is None for event in found[:-1])
    assert not (await billed(sandbox)).billed


async def test_a_json_reply_may_lack_its_finish_reason_and_usage(sandbox, session):
    async with post(session, body("FAULT:done_without_finish")) as reply:
        fields = await reply.json()
    assert (fields["choices"][0]["finish_reason"], fields["usage"]) == (None, None)
    assert not (await billed(sandbox)).billed


async def test_a_whole_stream_may_lack_done_and_is_charged(sandbox, session):
    found = await events(session, streamed("FAULT:no_done"))
    assert finishes(found) == ["stop"]
    assert json.loads(found[-1])["usage"]["prompt_tokens"] > 0
    line = await billed(sandbox)
    assert (line.billed, line.completed) == (True, True)


async def test_one_event_may_be_torn(sandbox, session):
    found = await events(session, streamed("FAULT:malformed=3"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(found[3])
    assert found[-1] == "[DONE]"
    assert not any('"prompt_tokens"' in event for event in found)
    assert not (await billed(sandbox)).billed


async def test_a_json_body_may_be_torn_though_its_length_is_right(sandbox, session):
    async with post(session, body("FAULT:malformed")) as reply:
        raw = await reply.read()
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw)
    assert not (await billed(sandbox)).billed


async def test_an_error_may_come_with_status_200_in_both_forms(sandbox, session):
    found = await events(session, streamed("FAULT:error_event=2"))
    assert len(found) == 3
    assert json.loads(found[-1])["error"]["type"] == "server_error"
    assert not (await billed(sandbox)).billed
    async with post(session, body("FAULT:error_event")) as reply:
        assert (reply.status, list(await reply.json())) == (200, ["error"])


async def test_a_drip_comes_byte_by_byte_and_is_whole(sandbox, session):
    sandbox.control.script([Rule(kind="drip", pause_s=0.0001)])
    async with post(session, body(max_tokens=3)) as reply:
        sizes = [len(data) async for data, _ in reply.content.iter_chunks() if data]
    assert sum(sizes) > 400
    assert len(sizes) > 100
    assert (await billed(sandbox)).completed


@pytest.mark.parametrize("stream", [False, True])
async def test_a_huge_answer_is_huge_and_right(sandbox, session, stream):
    fields = body("FAULT:huge=300000", stream=stream)
    async with post(session, fields) as reply:
        raw = await reply.read()
    if stream:
        deltas = [json.loads(event)["choices"][0]["delta"] for event in split(raw)[:-1]]
        text = "".join(delta.get("content") or "" for delta in deltas)
    else:
        text = json.loads(raw)["choices"][0]["message"]["content"]
    assert len(text) >= 300_000
    assert check_answer(text, fields, KEY) is None
    line = await billed(sandbox)
    assert line.usage.output == len(text.split(" ")) + 1
    assert (line.billed, line.completed) == (True, True)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_endless_answer_is_billed_as_far_as_it_got_before_the_client_left(sandbox, session, stream):
    received = 0
    async with post(session, body("FAULT:endless", stream=stream)) as reply:
        async for chunk in reply.content.iter_any():
            received += len(chunk)
            if received > 300_000:
                break
        reply.close()
    line = await billed(sandbox)
    assert (line.billed, line.completed, line.fault) == (True, False, "endless")
    assert line.usage.output > 1000
    assert line.amount_pico == 150_000 * line.usage.input + 600_000 * line.usage.output
    assert sandbox.control.stats()["clients_left"] == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_may_be_compressed_though_nobody_asked(sandbox, session, stream):
    plain = body("FAULT:gzip", stream=stream)
    async with session.post("/v1/chat/completions", json=plain, headers={"accept-encoding": "identity"}) as reply:
        raw = await reply.read()
    assert reply.headers["content-encoding"] == "gzip"
    assert b"[wm:" in gzip.decompress(raw)
    assert (await billed(sandbox)).completed


async def test_a_compressed_bomb_is_small_on_the_wire(sandbox, session):
    async with post(session, body("FAULT:gzip=5000000")) as reply:
        raw = await reply.read()
    assert len(gzip.decompress(raw)) > 5_000_000
    assert len(raw) < 100_000


async def until_in_flight(sandbox: SandboxServer) -> None:
    while True:
        if (await asyncio.to_thread(sandbox.control.stats))["in_flight"]:
            return
        await asyncio.sleep(0.005)


def slow(tokens_per_s: float) -> SandboxServer:
    return SandboxServer(Settings(latency=Latency(tokens_per_s=tokens_per_s), answer_words=(40, 40)))


async def test_a_stream_the_client_leaves_is_billed_for_what_was_generated():
    with slow(tokens_per_s=20) as paced:
        async with aiohttp.ClientSession(paced.url, headers={"authorization": KEY}) as session:
            async with post(session, streamed()) as reply:
                received = b""
                while received.count(b"\n\n") < 4:
                    received += await reply.content.readany()
                reply.close()
            line = await billed(paced)
    assert (line.completed, line.billed) == (False, True)
    assert 3 <= line.usage.output < 45
    assert line.amount_pico == 150_000 * line.usage.input + 600_000 * line.usage.output


async def test_a_json_reply_the_client_does_not_wait_for_is_billed_whole():
    with slow(tokens_per_s=1) as paced:
        async with aiohttp.ClientSession(paced.url, headers={"authorization": KEY}) as session:
            asking = asyncio.ensure_future(session.post("/v1/chat/completions", json=body()))
            await until_in_flight(paced)
            asking.cancel()
            line = await billed(paced)
    assert (line.completed, line.billed, line.usage.output) == (False, True, 45)


async def test_a_script_that_makes_no_sense_is_refused_and_the_old_one_stays(sandbox, session):
    sandbox.control.script([Rule(kind="refusal")])
    async with session.post("/__sandbox/script", data=b'{"rules":[{"kind":"explode"}]}') as reply:
        assert reply.status == 400
        assert "explode" in (await reply.json())["error"]
    async with session.get("/__sandbox/script") as reply:
        assert (await reply.json())["rules"] == [{"kind": "refusal"}]


async def test_the_bill_comes_in_pages(sandbox, session):
    for i in range(7):
        await events(session, streamed(str(i)))
    numbers, after = [], 0
    while after is not None:
        async with session.get(f"/__sandbox/bill?after={after}&limit=3") as reply:
            page = await reply.json()
        numbers += [line["number"] for line in page["lines"]]
        after = page["next"]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    async with session.get("/__sandbox/bill?after=x") as reply:
        assert reply.status == 400


async def test_an_unknown_path_says_what_there_is(sandbox, session):
    async with session.post("/v1/images", json={}) as reply:
        assert reply.status == 404
        assert "/v1/chat/completions" in (await reply.json())["error"]["message"]


async def test_a_model_can_be_asked_for_by_name(sandbox, session):
    async with session.get("/v1/models/gpt-4o") as reply:
        assert (await reply.json())["id"] == "gpt-4o"
    async with session.get("/v1/models/gpt-9") as reply:
        assert reply.status == 404


async def test_a_request_without_a_key_is_refused_as_openai_does(sandbox, session):
    async with aiohttp.ClientSession(sandbox.url) as nobody, post(nobody, body()) as reply:
        assert reply.status == 401
        assert "You didn't provide an API key" in (await reply.json())["error"]["message"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(sandbox, session, raw):
    async with session.post("/v1/chat/completions", data=raw) as reply:
        assert reply.status == 400
        assert "could not parse the JSON body" in (await reply.json())["error"]["message"]


async def test_a_request_in_pieces_is_read_whole(sandbox):
    content = json.dumps(body("x" * 200_000)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-length: {len(content)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]))
    writer.write(head.encode())
    for start in range(0, len(content), 50_000):
        writer.write(content[start : start + 50_000])
        await writer.drain()
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()


def test_a_reset_is_a_tcp_reset(sandbox):
    content = json.dumps(body("FAULT:reset")).encode()
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]))) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: %d\r\n\r\n"
            % len(content)
            + content
        )
        with pytest.raises(ConnectionResetError):
            raw.recv(100)
