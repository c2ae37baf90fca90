"""The official SDK over the transports: replies, streams, errors as its own classes, and one side alone that retries."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from pennyworth import Pennyworth
from pennyworth.outcome import Receipt
from pennyworth.plan import Persistence
from pennyworth.testing.chat_bytes import chat_events, chat_json, error_json
from pennyworth.testing.scripted_server import AwaitClose, Connection, connection, http_stream, send, until
from tests.door.running import Running, eventually, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream
from tests.transport.conftest import MakeLibrary
from tests.transport.doors import receipts_of

EVENTS = chat_events("For the fire hose.", usage=(12, 5))
QUICK = {"provider": {"persistence": Persistence(tries=3, pause_s=0.001, retry_share=1.0, trip_after=10**9)}}


def question(text: str = "Why are fire engines red?", **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **fields}


def fails(status: str, **headers: str) -> Connection:
    return connection(send(last_reply(error_json("no"), status=status, headers=headers)))


def _chunks(events: list[bytes]) -> bytes:
    return http_stream(events).partition(b"\r\n\r\n")[2]


def good(text: str = "For the fire hose.") -> Connection:
    return connection(send(last_reply(chat_json(text, usage=(12, 5)))))


def sdk(pw: Pennyworth, **options: Any) -> OpenAI:
    return OpenAI(http_client=pw.http_client(), api_key="unused", **options)


def async_sdk(pw: Pennyworth, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(http_client=pw.async_http_client(), api_key="unused", **options)


def test_a_reply_given_again_is_the_same_object_whole_or_streamed(make: MakeLibrary):
    pw, _ = make([good(), connection(send(last_stream(EVENTS)))])
    client = sdk(pw)
    assert client.chat.completions.create(**question()) == client.chat.completions.create(**question())
    streamed = question("And ambulances white?", stream=True)
    assert list(client.chat.completions.create(**streamed)) == list(client.chat.completions.create(**streamed))
    assert [receipt.served for receipt in receipts_of(pw)] == ["upstream", "exact", "upstream", "exact"]


def test_the_legacy_client_serves_an_sdk_that_takes_one(make: MakeLibrary):
    pw, _ = make([good()])
    legacy = OpenAI(http_client=pw.legacy_http_client(), api_key="unused")  # type: ignore[arg-type]
    reply = legacy.chat.completions.create(**question())
    assert reply == sdk(pw).chat.completions.create(**question())
    assert isinstance(legacy.chat.completions.with_raw_response.create(**question()).http_response, httpx.Response)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", openai.BadRequestError),
        ("404 Not Found", openai.NotFoundError),
        ("422 No", openai.UnprocessableEntityError),
        ("429 Slow Down", openai.RateLimitError),
        ("500 Oh", openai.InternalServerError),
        ("503 Oh", openai.InternalServerError),
    ],
)
def test_errors_are_the_sdks_own(make: MakeLibrary, status: str, kind: type[openai.APIStatusError]):
    pw, _ = make(then=fails(status))
    with pytest.raises(kind) as caught:
        sdk(pw, max_retries=0).chat.completions.create(**question())
    assert pw.receipt(caught.value).status == caught.value.status_code == int(status[:3])


@pytest.mark.parametrize("status", ["500 Oh", "429 Slow Down"])
def test_what_the_engine_has_retried_the_sdk_does_not_retry_again(make: MakeLibrary, status: str):
    """Three calls, not three times three: through the library, through its asynchronous client, and through a server."""
    pw, provider = make(then=fails(status), **QUICK)
    with pytest.raises(openai.APIStatusError):
        sdk(pw, max_retries=2).chat.completions.create(**question())
    assert len(provider.requests) == 3

    async def ask() -> None:
        with pytest.raises(openai.APIStatusError):
            await async_sdk(pw, max_retries=2).chat.completions.create(**question("Again?"))

    asyncio.run(ask())
    assert len(provider.requests) == 6
    with Running(plan_for(provider.base_url, **QUICK)) as running, pytest.raises(openai.APIStatusError):
        OpenAI(base_url=running.base_url, api_key="any", max_retries=2).chat.completions.create(**question())
    assert len(provider.requests) == 9


def test_where_the_operator_has_one_call_made_the_sdk_may_ask_again(make: MakeLibrary):
    once = {"provider": {"persistence": Persistence(tries=1, trip_after=10**9)}}
    pw, provider = make([fails("500 Oh", **{"retry-after-ms": "1"}), good()], **once)
    assert sdk(pw, max_retries=2).chat.completions.create(**question()).choices[0].message.content
    assert len(provider.requests) == 2


def test_a_timeout_of_the_sdk_ends_the_call_and_is_not_retried(make: MakeLibrary):
    pw, provider = make(then=connection(AwaitClose()), **QUICK)
    with pytest.raises(openai.InternalServerError, match="timed out") as caught:
        sdk(pw, timeout=0.2).chat.completions.create(**question())
    assert caught.value.status_code == 504
    assert len(provider.requests) == 1
    assert pw.receipt(caught.value).status == 504


def test_a_client_by_itself_waits_as_long_as_its_own_timeout(make: MakeLibrary):
    pw, provider = make(then=connection(AwaitClose()))
    with pw.http_client(timeout=0.2) as client:
        reply = client.post("https://api.openai.com/v1/chat/completions", json=question())
    assert (reply.status_code, len(provider.requests)) == (504, 1)


def test_a_stream_that_stalls_is_a_read_timeout_and_the_call_is_ended(make: MakeLibrary):
    pw, _ = make(then=connection(send(last_stream(EVENTS[:3], ended=False)), AwaitClose()))
    with pw.http_client(timeout=0.3) as client, pytest.raises(httpx2.ReadTimeout):
        client.post("https://api.openai.com/v1/chat/completions", json=question(stream=True))
    assert eventually(lambda: [receipt.ending for receipt in receipts_of(pw)] == ["caller_left"])


def test_two_threads_that_ask_the_same_at_once_share_one_call(make: MakeLibrary):
    go = asyncio.Event()
    pw, provider = make([connection(until(go), send(last_reply(chat_json("Once."))))])
    client, said = sdk(pw), []
    threads = [
        threading.Thread(target=lambda: said.append(client.chat.completions.create(**question()))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    flights = pw._at_home().runtime.engine.flights
    assert eventually(lambda: any(flight._readers == 2 for flight in flights.all()))
    provider.release(go)
    for thread in threads:
        thread.join()
    assert said[0] == said[1]
    assert len(provider.requests) == 1
    assert sorted(receipt.served for receipt in receipts_of(pw)) == ["coalesced", "upstream"]


def test_a_thread_and_a_coroutine_share_one_call_too(make: MakeLibrary):
    go = asyncio.Event()
    pw, provider = make([connection(until(go), send(last_reply(chat_json("Once."))))])
    said: list[Any] = []

    async def ask() -> None:
        said.append(await async_sdk(pw).chat.completions.create(**question()))

    threads = [
        threading.Thread(target=lambda: said.append(sdk(pw).chat.completions.create(**question()))),
        threading.Thread(target=lambda: asyncio.run(ask())),
    ]
    for thread in threads:
        thread.start()
    flights = pw._at_home().runtime.engine.flights
    assert eventually(lambda: any(flight._readers == 2 for flight in flights.all()))
    provider.release(go)
    for thread in threads:
        thread.join()
    assert said[0] == said[1]
    assert len(provider.requests) == 1


Leave = Callable[[Any], None]


def _by_closing(stream: Any) -> None:
    next(stream)
    stream.close()


def _by_a_break(stream: Any) -> None:
    for _ in stream:
        break


def _by_forgetting(stream: Any) -> None:
    next(iter(stream))


@pytest.mark.parametrize("leave", [_by_closing, _by_a_break, _by_forgetting])
def test_who_leaves_a_stream_early_has_a_receipt_and_the_call_is_ended(make: MakeLibrary, leave: Leave):
    pw, _ = make(then=connection(send(last_stream(EVENTS[:3], ended=False)), AwaitClose()))
    stream = sdk(pw).chat.completions.create(**question(stream=True))
    leave(stream)
    del stream
    gc.collect()
    assert eventually(lambda: [receipt.ending for receipt in receipts_of(pw)] == ["caller_left"])
    assert len(pw._at_home().runtime.engine.flights) == 0


def test_who_leaves_an_asynchronous_stream_early_has_a_receipt(make: MakeLibrary):
    pw, _ = make(then=connection(send(last_stream(EVENTS[:3], ended=False)), AwaitClose()))

    async def ask() -> None:
        stream = await async_sdk(pw).chat.completions.create(**question(stream=True))
        async for _ in stream:
            break
        await stream.close()

    asyncio.run(ask())
    assert eventually(lambda: [receipt.ending for receipt in receipts_of(pw)] == ["caller_left"])


def test_a_task_that_is_cancelled_while_it_waits_has_left(make: MakeLibrary):
    pw, provider = make(then=connection(AwaitClose()))

    async def ask() -> None:
        task = asyncio.ensure_future(async_sdk(pw).chat.completions.create(**question()))
        assert await asyncio.to_thread(eventually, lambda: bool(provider.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert eventually(lambda: [receipt.ending for receipt in receipts_of(pw)] == ["caller_left"])


def test_the_receipt_is_found_by_whatever_the_sdk_gave(make: MakeLibrary):
    go = asyncio.Event()
    pw, provider = make(
        [good(), connection(send(http_stream(EVENTS[:3], ended=False)), until(go), send(_chunks(EVENTS[3:])))]
    )
    client = sdk(pw)
    raw = client.chat.completions.with_raw_response.create(**question())
    parsed = client.chat.completions.create(**question())
    stream = client.chat.completions.create(**question("And ambulances white?", stream=True))
    with pytest.raises(LookupError, match="when it has ended"):
        pw.receipt(stream)
    provider.release(go)
    list(stream)
    found: list[Receipt] = [pw.receipt(raw), pw.receipt(parsed), pw.receipt(stream)]
    assert [receipt.served for receipt in found] == ["upstream", "exact", "upstream"]
    assert pw.receipt(found[0].id) == found[0]
    assert pw.receipt(raw.http_response) == found[0]
    with pytest.raises(LookupError, match="bears no receipt"):
        pw.receipt(object())
    with pytest.raises(LookupError, match="no receipt r-0"):
        pw.receipt("r-0")


def test_followers_of_one_call_have_receipts_of_their_own(make: MakeLibrary):
    """The provider gave both one request id, so that id could not tell them apart."""
    go = asyncio.Event()
    body = last_reply(chat_json("Once."), headers={"x-request-id": "req_1"})
    pw, provider = make([connection(until(go), send(body))])

    async def ask() -> list[Any]:
        client = async_sdk(pw)
        asking = asyncio.gather(*[client.chat.completions.create(**question()) for _ in range(2)])
        assert await asyncio.to_thread(eventually, lambda: bool(provider.requests))
        provider.release(go)
        return list(await asking)

    replies = asyncio.run(ask())
    receipts = [pw.receipt(reply) for reply in replies]
    assert sorted(receipt.served for receipt in receipts) == ["coalesced", "upstream"]
    leader = next(receipt for receipt in receipts if receipt.served == "upstream")
    assert leader.attempts[0].provider_request_id == "req_1"


def test_what_the_sdk_calls_its_key_goes_to_no_provider(make: MakeLibrary):
    pw, provider = make([good()])
    OpenAI(http_client=pw.http_client(), api_key="sk-mine-and-secret").chat.completions.create(**question())
    assert b"sk-mine-and-secret" not in provider.requests[0]
    assert b"sk-provider-key-0001" in provider.requests[0]


def test_the_address_of_the_sdk_counts_only_below_v1(make: MakeLibrary):
    pw, _ = make([good()])
    elsewhere = OpenAI(http_client=pw.http_client(), api_key="unused", base_url="https://example.com/some/where/v1")
    assert elsewhere.chat.completions.create(**question()).choices[0].message.content == "For the fire hose."
    with pytest.raises(openai.NotFoundError, match="base URL of an SDK ends in /v1"):
        OpenAI(http_client=pw.http_client(), api_key="unused", base_url="https://example.com/").chat.completions.create(
            **question()
        )


def test_statistics_are_those_of_the_admin_port(make: MakeLibrary):
    pw, _ = make([good()])
    client = sdk(pw)
    for _ in range(3):
        client.chat.completions.create(**question())
    stats = pw.stats()
    assert json.loads(json.dumps(stats)) == stats
    for books in (stats["ledger"], stats["process"]):
        assert (books["requests"], books["hits"]["exact"], books["upstream_calls"]) == (3, 2, 1)
        assert books["spent"]["pico"] + books["saved"]["pico"] == books["would_have_cost"]["pico"] > 0
    assert stats["store"]["entries"] == 1
    assert stats["control"]["enabled"] is True


def test_a_blocking_client_works_where_a_loop_is_running(make: MakeLibrary):
    """As in a notebook."""
    pw, _ = make([good()])

    async def cell() -> Any:
        return sdk(pw).chat.completions.create(**question())

    assert asyncio.run(cell()).choices[0].message.content == "For the fire hose."


def test_an_asynchronous_client_outlives_its_loop(make: MakeLibrary):
    pw, _ = make([good()])
    client = async_sdk(pw)
    replies = [asyncio.run(client.chat.completions.create(**question())) for _ in range(2)]
    assert replies[0] == replies[1]


def test_a_scripted_provider_is_asked_by_every_client_alike():
    """Nothing of a client is left when it is closed, and its library serves the others."""
    with ScriptedProvider([good()]) as provider, Pennyworth(plan_for(provider.base_url)) as pw:
        with sdk(pw) as first:
            first.chat.completions.create(**question())
        with sdk(pw) as second:
            assert pw.receipt(second.chat.completions.create(**question())).served == "exact"
