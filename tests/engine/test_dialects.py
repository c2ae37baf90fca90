"""Whoever asks in whatever dialect, and whoever answers: one answer, the right words, and the books know."""

from __future__ import annotations

import asyncio
import json
import sys
from types import FrameType
from typing import Any

import msgspec
import pytest

from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.plan import Provider, Route
from pennyworth.request import Caller, Dialect
from pennyworth.secret import Secret
from pennyworth.testing.responses_bytes import message_item, response_json
from pennyworth.testing.scripted import chat_events, chat_json, error_json, event, fail, reply, stream
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.translate import reply_as_json
from tests.engine.conftest import ONCE, Heard, House, MakeHouse, hear

TURNS = [{"role": "user", "content": "What is the capital of France?"}]
CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 64,
    "messages": [{"role": "system", "content": "Be brief."}, *TURNS],
}
MESSAGES: dict[str, Any] = {"model": "gpt-4o-mini", "max_tokens": 64, "system": "Be brief.", "messages": TURNS}
VARY = ("anthropic-beta", "anthropic-version", "openai-beta")


def provider(name: str, *dialects: Dialect, models: tuple[str, ...] = ("*",)) -> Provider:
    return Provider(
        name=name,
        base_url=f"http://{name}.test/v1",
        credential=Secret("sk-test"),
        models=models,
        persistence=ONCE,
        dialects=dialects,
    )


async def begin(house: House, dialect: Dialect, body: dict[str, Any] | bytes, **headers: str) -> Reply | Relay:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = CODECS[dialect].read_request(raw, named, Caller("local"), vary=VARY)
    return await house.engine.handle(request)


async def ask(house: House, dialect: Dialect, body: dict[str, Any] | bytes, **headers: str) -> Heard:
    return await hear(await begin(house, dialect, body, **headers))


def message(text: str = "Paris.", **more: Any) -> bytes:
    """What Anthropic answers."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-4o-mini",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 9,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "output_tokens": 2,
        },
    }
    return json.dumps({**body, **more}).encode()


def message_events(*texts: str) -> list[bytes]:
    start = json.loads(message()) | {"content": [], "stop_reason": None}
    said = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]
    return [b"event: %b\n" % one["type"].encode() + event(one) for one in said]


def text_of(heard: Heard, dialect: Dialect) -> str:
    """What a caller of that dialect reads."""
    codec = CODECS[dialect]
    streamed = heard.headers["content-type"].startswith("text/event-stream")
    body = json.loads(codec.as_json(heard.body, streamed=streamed))
    if dialect == "chat":
        return str(body["choices"][0]["message"]["content"])
    assert body["type"] == "message"
    return "".join(block["text"] for block in body["content"])


async def test_an_answer_serves_every_dialect_that_can_ask_for_it(house: MakeHouse):
    h = await house([reply(json=chat_json("Paris.", usage=(9, 2)))], providers=(provider("both", "chat", "messages"),))
    for dialect, body in (("chat", CHAT), ("messages", MESSAGES), ("chat", CHAT | {"stream": True})):
        heard = await ask(h, dialect, body, anthropic_version="2023-06-01")
        assert (heard.status, text_of(heard, dialect)) == (200, "Paris.")
    heard = await ask(h, "messages", MESSAGES | {"stream": True})
    assert text_of(heard, "messages") == "Paris."
    assert [receipt.served for receipt in h.receipts()] == ["upstream", "exact", "exact", "exact"]
    assert [receipt.dialect for receipt in h.receipts()] == ["chat", "messages", "chat", "messages"]
    assert len(h.upstream.calls) == 1


async def test_and_the_other_way_round(house: MakeHouse):
    h = await house([reply(json=message())], providers=(provider("anthropic", "messages"),))
    first = await ask(h, "messages", MESSAGES)
    assert first.body == message()
    heard = await ask(h, "chat", CHAT)
    assert text_of(heard, "chat") == "Paris."
    assert json.loads(heard.body)["usage"]["prompt_tokens"] == 13
    assert h.last().served == "exact"
    assert h.last().usage == h.receipts()[0].usage


async def test_a_request_nobody_decided_to_change_goes_on_byte_for_byte(house: MakeHouse):
    odd = (
        b'{ "model":"claude" ,"max_tokens":64,\n"messages":[{"content":"caf\\u00e9", "role":"user"}],"new_field":1.50}'
    )
    h = await house([reply(json=message())], providers=(provider("anthropic", "messages"),))
    await ask(h, "messages", odd, anthropic_version="2023-06-01", anthropic_beta="x")
    call = h.upstream.calls[0]
    assert (call.path, call.body) == ("/messages", odd)
    assert ("anthropic-beta", "x") in call.headers
    assert h.last().attempts[0].dialect == ""


async def test_a_caller_of_messages_is_answered_by_who_speaks_chat_alone(house: MakeHouse):
    h = await house([reply(json=chat_json("Paris.", usage=(9, 2)))], providers=(provider("openai", "chat"),))
    heard = await ask(h, "messages", MESSAGES, anthropic_version="2023-06-01")
    body = json.loads(heard.body)
    assert (body["stop_reason"], body["usage"]["input_tokens"], text_of(heard, "messages")) == ("end_turn", 9, "Paris.")
    call = h.upstream.calls[0]
    assert call.path == "/chat/completions"
    assert json.loads(call.body)["messages"] == CHAT["messages"]
    assert "anthropic-version" not in dict(call.headers)
    assert h.last().attempts[0].dialect == "chat"


async def test_a_stream_is_said_in_the_callers_dialect_while_it_passes(house: MakeHouse):
    more = asyncio.Event()
    chunks = chat_events(["Par", "is."], usage=(9, 2))
    h = await house([stream([*chunks[:2], more, *chunks[2:]])], providers=(provider("openai", "chat"),))
    handled = await begin(h, "messages", MESSAGES | {"stream": True})
    assert isinstance(handled, Relay)
    head = await handled.reply()
    first = await handled.read()
    assert b"content_block_delta" in first
    assert b"Par" in first
    more.set()
    rest = b""
    while block := await handled.read():
        rest += block
    handled.close()
    heard = Heard(head.status, {name.decode(): value.decode() for name, value in head.headers}, first + rest)
    assert text_of(heard, "messages") == "Paris."
    assert rest.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert b'"stream_options":{"include_usage":true}' in h.upstream.calls[0].body
    usage = h.last().usage
    assert usage is not None
    assert (usage.input, usage.output) == (9, 2)


async def test_a_long_answer_is_translated_once_each_time_it_is_given(house: MakeHouse):
    """Too long to be remembered in another dialect, and not free: a megabyte of events takes ten milliseconds."""
    long = message("word " * 200_000)
    h = await house([reply(json=long)], providers=(provider("anthropic", "messages"),))
    await ask(h, "messages", MESSAGES)
    made: list[str] = []

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is reply_as_json.__code__:
            made.append(frame.f_code.co_name)

    sys.setprofile(look)
    try:
        heard = await ask(h, "chat", CHAT)
    finally:
        sys.setprofile(None)
    assert heard.headers["cache-status"].startswith("pennyworth; hit")
    assert made == ["reply_as_json"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_receipt_of_a_stream_does_not_hang_on_how_it_was_cut(house: MakeHouse, at_once: bool):
    """What has no words is left out of a stream, so it was given, whenever that is known."""
    start, *rest = message_events("Paris.")
    searched = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    opened = {"type": "content_block_start", "index": 0, "content_block": searched}
    closed = {"type": "content_block_stop", "index": 0}
    events = [start, *[b"event: %b\n" % one["type"].encode() + event(one) for one in (opened, closed)]]
    events += [one.replace(b'"index": 0', b'"index": 1').replace(b'"index":0', b'"index":1') for one in rest]
    chunks = [b"".join(events)] if at_once else events
    h = await house([stream(chunks)], providers=(provider("anthropic", "messages"),))
    heard = await ask(h, "chat", CHAT | {"stream": True})
    assert heard.status == 200
    assert text_of(heard, "chat") == "Paris."
    receipt = h.last()
    assert (receipt.status, receipt.served) == (200, "upstream")


async def test_callers_of_several_dialects_share_one_call_under_way(house: MakeHouse):
    more = asyncio.Event()
    events = message_events("Par", "is.")
    h = await house([stream([*events[:3], more, *events[3:]])], providers=(provider("anthropic", "messages"),))
    asked: list[tuple[Dialect, dict[str, Any]]] = [
        ("messages", MESSAGES | {"stream": True}),
        ("chat", CHAT | {"stream": True}),
        ("chat", CHAT),
        ("messages", MESSAGES),
    ]
    callers = [asyncio.create_task(ask(h, dialect, body)) for dialect, body in asked]
    await asyncio.sleep(0.01)
    more.set()
    heard = await asyncio.gather(*callers)
    assert [text_of(one, dialect) for one, (dialect, _) in zip(heard, asked, strict=True)] == ["Paris."] * 4
    assert sorted(receipt.served for receipt in h.receipts()) == ["coalesced"] * 3 + ["upstream"]


async def test_a_route_crosses_vendors_when_one_fails(house: MakeHouse):
    h = await house(
        [fail("connect"), reply(json=message())],
        providers=(
            provider("openai", "chat", models=("gpt-*",)),
            provider("anthropic", "messages", models=("claude*",)),
        ),
        routes=(Route(fallbacks=("claude",)),),
    )
    heard = await ask(h, "chat", CHAT)
    assert text_of(heard, "chat") == "Paris."
    assert [call.path for call in h.upstream.calls] == ["/chat/completions", "/messages"]
    assert [attempt.dialect for attempt in h.last().attempts] == ["", "messages"]


async def test_a_fallback_that_has_no_words_for_the_request_is_passed_over(house: MakeHouse):
    h = await house(
        [fail("connect"), reply(json=chat_json("Paris."))],
        providers=(
            provider("openai", "chat", models=("gpt-*",)),
            provider("anthropic", "messages", models=("claude*",)),
        ),
        routes=(Route(fallbacks=("claude", "gpt-4o")),),
    )
    heard = await ask(h, "chat", CHAT | {"seed": 7})
    assert text_of(heard, "chat") == "Paris."
    assert len(h.upstream.calls) == 2
    assert h.last().target == "openai/gpt-4o"
    assert h.last().notes[0] == "fallback: anthropic/claude was not asked, its dialect has no words for seed"
    assert not h.runtime.state.counters.troubles


async def test_the_receipt_of_a_failure_says_why_nobody_stood_in(house: MakeHouse):
    h = await house(
        [fail("connect")],
        providers=(provider("openai", "embeddings", models=("text-*",)), provider("gpt", "chat", models=("gpt-*",))),
        routes=(Route(fallbacks=("gpt-4o",)),),
    )
    heard = await ask(h, "embeddings", {"model": "text-1", "input": "hi"})
    assert heard.status == 502
    assert h.last().notes == ("fallback: gpt/gpt-4o was not asked, it speaks chat only",)


async def test_what_cannot_be_carried_is_refused_by_its_name(house: MakeHouse):
    h = await house(providers=(provider("anthropic", "messages"),))
    heard = await ask(h, "chat", CHAT | {"seed": 7})
    error = json.loads(heard.body)["error"]
    assert (heard.status, error["param"], error["code"]) == (400, "seed", "cannot_translate")
    assert "routes" in error["message"]
    assert not h.upstream.calls
    assert h.last().status == 400


async def test_the_receipt_of_what_cannot_be_carried_names_the_field_and_quotes_nothing(house: MakeHouse):
    h = await house(providers=(provider("anthropic", "messages"),))
    heard = await ask(h, "chat", CHAT | {"prediction": "my secret diary"})
    assert b"my secret diary" in heard.body
    assert h.last().reason == "cannot_translate: prediction"


async def test_what_may_be_dropped_is_named_on_the_receipt(house: MakeHouse):
    h = await house(
        [reply(json=message())],
        providers=(provider("anthropic", "messages"),),
        routes=(Route(drop=("seed",)),),
    )
    assert (await ask(h, "chat", CHAT | {"seed": 7})).status == 200
    assert h.last().attempts[0].dropped == ("seed",)
    assert "seed" not in json.loads(h.upstream.calls[0].body)


async def test_a_provider_that_speaks_no_dialect_of_the_caller_is_not_asked(house: MakeHouse):
    h = await house(providers=(provider("voyage", "embeddings"),))
    heard = await ask(h, "messages", MESSAGES)
    error = json.loads(heard.body)
    assert (heard.status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    assert "providers.voyage.dialects" in error["error"]["message"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_providers_error_is_said_in_the_callers_dialect(house: MakeHouse, streamed: bool):
    refused = reply(429, json=error_json("Slow down."), headers={"retry-after": "7"})
    h = await house([refused], providers=(provider("openai", "chat"),))
    heard = await ask(h, "messages", MESSAGES | {"stream": streamed})
    error = json.loads(heard.body)
    assert (heard.status, error["type"], error["error"]["type"]) == (429, "error", "rate_limit_error")
    assert "Slow down." in error["error"]["message"]
    assert heard.headers["retry-after"] == "7"


async def test_a_stream_that_breaks_off_says_so_in_the_callers_dialect(house: MakeHouse):
    h = await house([stream([*chat_events(["Par"])[:2], fail("reset")])], providers=(provider("openai", "chat"),))
    heard = await ask(h, "messages", MESSAGES | {"stream": True})
    assert b"message_stop" not in heard.body
    last = heard.body.strip().split(b"\n\n")[-1]
    assert last.startswith(b"event: error\n")
    assert h.last().ending == "cut"
    assert (await ask(h, "messages", MESSAGES | {"stream": True})).status == 500 or len(h.upstream.calls) == 2


async def test_another_question_in_another_dialect_is_another_question(house: MakeHouse):
    h = await house(then=reply(json=chat_json("Paris.")), providers=(provider("both", "chat"),))
    await ask(h, "chat", CHAT)
    for other in (
        MESSAGES | {"max_tokens": 65},
        MESSAGES | {"system": "Be long."},
        {**MESSAGES, "messages": [*TURNS, {"role": "assistant", "content": "?"}, *TURNS]},
        {name: value for name, value in MESSAGES.items() if name != "system"},
        MESSAGES | {"top_p": 0.5},
    ):
        heard = await ask(h, "messages", other)
        assert heard.status == 200, heard.body
        assert h.last().served == "upstream", other
    await ask(h, "messages", MESSAGES, anthropic_beta="another-model-behaviour")
    assert h.last().served == "upstream"


async def test_the_first_result_of_an_idempotency_key_is_given_again_in_its_own_dialect(house: MakeHouse):
    h = await house([stream(message_events("Par", "is."))], providers=(provider("anthropic", "messages"),))
    first = await ask(h, "chat", CHAT | {"stream": True}, idempotency_key="k-1")
    again = await ask(h, "chat", CHAT | {"stream": True}, idempotency_key="k-1")
    assert first.body == again.body
    assert text_of(again, "chat") == "Paris."
    assert h.last().served == "replayed"


async def test_nobody_reads_whose_question_it_was_when_another_dialect_said_it(house: MakeHouse):
    """A response repeats whom it was for, also where that was asked for in chat completions."""
    raw = response_json(message_item("Paris."), user="ann", metadata={"team": "red"}, model="gpt-4o-mini")
    h = await house(then=reply(json=raw), providers=(provider("openai", "responses"),))
    asked = {"model": "gpt-4o-mini", "messages": TURNS, "user": "ann", "metadata": {"team": "red"}}
    question = {"model": "gpt-4o-mini", "input": TURNS, "store": False}
    for mine in (await ask(h, "chat", asked), await ask(h, "responses", question)):
        assert mine.status == 200
    assert [receipt.served for receipt in h.receipts()] == ["upstream", "upstream"]
    again = await ask(h, "chat", asked | {"user": "bob"})
    assert h.last().served == "exact"
    assert b"ann" not in again.body
    assert b"red" not in again.body


@pytest.mark.parametrize("into", ["messages", "responses"])
async def test_a_body_that_is_no_reply_does_not_become_one_in_another_dialect(house: MakeHouse, into: Dialect):
    odd = json.loads(chat_json("Paris."))
    odd["choices"][0]["message"]["tool_calls"] = "look"
    h = await house([reply(json=json.dumps(odd).encode())], providers=(provider("openai", "chat"),))
    body = MESSAGES if into == "messages" else {"model": "gpt-4o-mini", "input": TURNS, "store": False}
    heard = await ask(h, into, body)
    assert heard.status == h.last().status == 502
    assert h.last().served == "none"


async def test_an_answer_asked_with_stop_words_serves_its_own_dialect_alone(house: MakeHouse):
    """Only Anthropic says that a stop sequence ended it, and at which."""
    ended = reply(json=message(stop_reason="stop_sequence", stop_sequence="END"))
    h = await house([reply(json=chat_json("Paris.")), ended], providers=(provider("both", "chat", "messages"),))
    await ask(h, "chat", CHAT | {"stop": ["END"]})
    heard = await ask(h, "messages", MESSAGES | {"stop_sequences": ["END"]})
    assert json.loads(heard.body)["stop_reason"] == "stop_sequence"
    assert [receipt.served for receipt in h.receipts()] == ["upstream", "upstream"]


@pytest.mark.parametrize("quoted", [r"Wrong key: a\/b\/c+d==", r"Wrong key: a/b/c+d\u003d\u003d", r"a/b/c+d=="])
async def test_a_key_that_a_provider_says_back_in_another_spelling_is_not_told(house: MakeHouse, quoted: str):
    secret = "a/b/c+d=="
    whose = provider("anthropic", "messages")
    whose = msgspec.structs.replace(whose, credential=Secret(secret))
    error = b'{"type":"error","error":{"type":"invalid_request_error","message":"%b"}}' % quoted.encode()
    for dialect, body in (("messages", MESSAGES), ("chat", CHAT)):
        h = await house([reply(400, json=error)], providers=(whose,))
        heard = await ask(h, dialect, body)  # type: ignore[arg-type]
        assert heard.status == 400
        assert secret not in json.loads(heard.body)["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_said_anew_is_json_whatever_it_came_as(house: MakeHouse, stream: bool):
    page = reply(502, body=b"<html>Bad gateway</html>", headers={"content-type": "text/html"})
    two = json.loads(chat_json("Paris."))
    two["choices"].append(two["choices"][0] | {"index": 1})
    for odd in (page, reply(json=two)):
        h = await house([odd], providers=(provider("openai", "chat"),))
        heard = await ask(h, "messages", MESSAGES | {"stream": stream})
        assert heard.status == 502
        assert heard.headers["content-type"] == "application/json"
        assert json.loads(heard.body)["type"] == "error"


async def test_who_shares_a_fallbacks_answer_does_not_read_for_whom_it_was_asked(house: MakeHouse):
    more = asyncio.Event()
    raw = response_json(message_item("Paris."), model="gpt-4o-mini")
    h = await house(
        [fail("connect"), reply(json=raw, head=more)],
        providers=(
            provider("openai", "chat", "responses", models=("gpt-*",)),
            provider("other", "responses", models=("o-*",)),
        ),
        routes=(Route(fallbacks=("o-1",)),),
    )
    asked = {"model": "gpt-4o-mini", "messages": TURNS, "user": "ann", "metadata": {"team": "red"}}
    question = {"model": "gpt-4o-mini", "input": TURNS, "store": False}
    both = [asyncio.create_task(ask(h, "chat", asked)), asyncio.create_task(ask(h, "responses", question))]
    await asyncio.sleep(0.01)
    more.set()
    assert [one.status for one in await asyncio.gather(*both)] == [200, 200]
    assert sorted(receipt.served for receipt in h.receipts()) == ["coalesced", "upstream"]
    assert b"ann" not in h.upstream.calls[-1].body
    assert b"red" not in h.upstream.calls[-1].body


@pytest.mark.parametrize(
    "field", [r'"\ud800": 1', r'"seed": "\ud800"', r'"tool_choice": {"\ud83d": "\ud800"}', r'"x\u0000\r\n": 1']
)
async def test_a_field_that_is_half_a_character_is_refused_by_its_name_like_any_other(house: MakeHouse, field: str):
    h = await house(providers=(provider("anthropic", "messages"),))
    body = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], %b}' % field.encode()
    heard = await ask(h, "chat", body)
    assert (heard.status, json.loads(heard.body)["error"]["code"]) == (400, "cannot_translate")
    assert h.last().status == 400
