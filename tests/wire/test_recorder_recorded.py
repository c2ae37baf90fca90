"""Every recorded interaction with a chat endpoint goes through reading, key and recorder without loss."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from pennyworth.decide.key import Keyring, Question
from pennyworth.errors import RequestError
from pennyworth.money import Usage
from pennyworth.plan import Provider, Target
from pennyworth.request import Caller
from pennyworth.wire.chat.request import question, read_request
from pennyworth.wire.sse import EventSplitter
from tests.wire.recorded import Row, record, record_row

KEYRING = Keyring(b"secret")
TARGET = Target(provider=Provider(name="p", base_url="https://p.example/v1"), model="m")
GOOD = {"stop", "eos"}


def terminal(row: Row) -> list[str | None]:
    """What each choice's end should be, by the plainest reading of the reply."""
    return row.finishes


def expected_ending(row: Row) -> str:
    if row.status >= 400 or any(chunk.get("error") for chunk in row.chunks):
        return "error"
    finishes = terminal(row)
    if not finishes or None in finishes:
        return "cut"
    for ending, reasons in (
        ("filtered", {"content_filter"}),
        ("length", {"length"}),
        ("tools", {"tool_calls", "function_call"}),
    ):
        if reasons & set(finishes):
            return ending
    called = any(
        choice.get("message", choice.get("delta") or {}).get("tool_calls")
        for c in row.chunks
        for choice in c.get("choices") or ()
    )
    return "tools" if called else "complete"


def stated_usage(row: Row) -> dict[str, Any] | None:
    stated = [chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") for chunk in row.chunks]
    return next((usage for usage in reversed(stated) if usage), None)


def tokens(usage: dict[str, Any] | None) -> Usage | None:
    if usage is None:
        return None
    into, out = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage.get("completion_tokens", 0)
    cached = into.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
    return Usage(
        input=usage["prompt_tokens"],
        output=usage.get("completion_tokens", 0),
        cached=cached,
        cache_write=into.get("cache_write_tokens") or 0,
        reasoning=out.get("reasoning_tokens") or 0,
        input_audio=into.get("audio_tokens") or 0,
        output_audio=out.get("audio_tokens") or 0,
    )


def test_every_request_reads_and_has_a_key_of_its_own(recorded: list[Row]) -> None:
    keys: dict[bytes | None, set[str]] = {}
    for row in recorded:
        if row.request is None:
            continue  # two recordings lack their request
        if "model" not in row.request:  # Azure's old paths name the deployment
            with pytest.raises(RequestError, match="model is missing"):
                read_request(json.dumps(row.request).encode(), {}, Caller("a"))
            continue
        request = read_request(json.dumps(row.request).encode(), {}, Caller("a"))
        compact = json.dumps(row.request, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
        key = KEYRING.keys(request, Question("chat", request.fields, request.fields), TARGET, "", 0)
        assert key is not None, row.id
        again = read_request(compact, {}, Caller("a"))
        assert key == KEYRING.keys(again, Question("chat", again.fields, again.fields), TARGET, "", 0), row.id
        assert request.model == row.request["model"]
        assert request.stream == bool(row.request.get("stream"))
        assert request.n == (row.request.get("n") or 1)
        assert isinstance(question(request), str)
        asked = {name: value for name, value in row.request.items() if name not in ("stream", "stream_options", "user", "metadata", "service_tier", "prompt_cache_key", "safety_identifier")}  # fmt: skip
        keys.setdefault(key, set()).add(json.dumps(asked, sort_keys=True))
    assert all(len(questions) == 1 for questions in keys.values())
    assert len(keys) > 40


def test_every_reply_is_recorded_with_its_usage_ending_and_reasons(recorded: list[Row]) -> None:
    for row in recorded:
        outcome = record_row(row)
        assert outcome.ending == expected_ending(row), row.id
        assert outcome.raw == row.raw
        if row.status != 200:
            continue
        assert outcome.usage == tokens(stated_usage(row)), row.id
        if finishes := terminal(row):
            assert outcome.finishes == tuple(reason or "" for reason in finishes), row.id
        assert outcome.served_by == next((c["model"] for c in reversed(row.chunks) if c.get("model")), ""), row.id
        assert bool(outcome.fault) == (outcome.ending in ("cut", "error")), (row.id, outcome.fault)


def test_replies_that_are_never_kept_are_not_complete(recorded: list[Row]) -> None:
    seen = set()
    for row in recorded:
        bad = row.status >= 400 or not row.finishes or any(reason not in GOOD for reason in row.finishes)
        if bad or any(chunk.get("error") for chunk in row.chunks):
            ending = record_row(row).ending
            assert ending != "complete", row.id
            seen.add(ending)
    assert seen >= {"cut", "error", "length", "tools"}


def test_what_was_said_is_seen(recorded: list[Row]) -> None:
    """Content, reasoning and calls commit the reply; the names of called tools are the ones in it."""
    for row in recorded:
        if row.status != 200:
            continue
        said = [
            choice.get("message") or choice.get("delta") or {}
            for chunk in row.chunks
            for choice in chunk.get("choices") or ()
        ]
        calls = [call for message in said for call in message.get("tool_calls") or ()]
        names = [call["function"]["name"] for call in calls if call.get("function", {}).get("name")]
        names += [
            message["function_call"]["name"] for message in said if (message.get("function_call") or {}).get("name")
        ]
        assert set(record_row(row).tools) == set(names), row.id
        assert len(record_row(row).tools) <= len(names), row.id  # a name may be said again
        assert record_row(row).refusal == any(message.get("refusal") for message in said)


def test_searches_by_the_provider_are_seen(recorded: list[Row]) -> None:
    for row in recorded:
        text = row.raw.decode()
        searched = (
            '"executed_tools"' in text or '"tool_calls_executed":1' in text.replace(" ", "") or '"url_citation"' in text
        )
        assert record_row(row).server_tools == (searched and row.status == 200 and bool(row.chunks)), row.id


def test_any_cut_of_a_stream_gives_the_same_record(recorded: list[Row]) -> None:
    chance = random.Random(7)
    for row in recorded:
        if not row.streamed:
            continue
        whole = record_row(row)
        for _ in range(4):
            cuts = [chance.randrange(len(row.raw) + 1) for _ in range(chance.choice((1, 3, 40)))]
            assert record_row(row, cuts) == whole, (row.id, cuts)


def last_reason_at(row: Row, events: list[bytes]) -> int:
    """The place of the event in which the last choice gives its reason."""
    ended = set()
    for i, event in enumerate(events):
        if event.startswith(b"data: {"):
            for choice in json.loads(event[6:]).get("choices") or ():
                if choice.get("finish_reason"):
                    ended.add(choice["index"])
        if len(ended) >= max(1, len(row.finishes)):
            return i
    return len(events)


def test_a_stream_cut_between_events_is_never_complete(recorded: list[Row]) -> None:
    """Broken off, never; ended as if all were well, only if every choice has given its reason before the cut."""
    checked = 0
    streams = [row for row in recorded if row.streamed]
    for row in streams[:: max(1, len(streams) // 20)]:
        events, n = EventSplitter().feed(row.raw), len(row.finishes)
        last = last_reason_at(row, events)
        for i in {*range(0, len(events), max(1, len(events) // 5)), last, last + 1} & set(range(len(events))):
            raw = b"".join(events[:i])
            assert record(raw, ended=False, n=n).ending != "complete", (row.id, i)
            assert i > last or record(raw, n=n).ending != "complete", (row.id, i)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("size", [2000, 4000])
def test_a_stream_cut_at_any_byte_is_never_complete_before_its_end(recorded: list[Row], size: int) -> None:
    row = max(
        (row for row in recorded if row.streamed and record_row(row).ending == "complete" and len(row.raw) < size),
        key=lambda row: len(row.raw),
    )
    events = EventSplitter().feed(row.raw)
    end = len(b"".join(events[: last_reason_at(row, events) + 1]))
    for cut in range(len(row.raw)):
        assert record(row.raw[:cut], ended=False).ending != "complete"
        if cut < end:  # past the last reason a proper end makes it whole
            assert record(row.raw[:cut]).ending == "cut", cut
    assert record(row.raw).ending == "complete"
