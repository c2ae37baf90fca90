"""Every recorded interaction with Anthropic goes through reading, recorder and replay without loss."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from pennyworth.decide import cacheable
from pennyworth.decide.key import Keyring, Question
from pennyworth.decide.tokens import estimate_request
from pennyworth.money import Usage
from pennyworth.plan import CacheSpec, Provider, Route, Target
from pennyworth.request import Caller
from pennyworth.wire import messages
from tests.wire.messages.recorded import Row, answered, record_row
from tests.wire.messages.sdk import SDK
from tests.wire.provider import provider

KEYRING = Keyring(b"secret")
TARGET = Target(provider=Provider(name="p", base_url="https://p.example/v1"), model="m")
ROUTE = Route(name="default", models=("*",), tools=("get_weather",))
ENDINGS = {"end_turn": "complete", "stop_sequence": "complete", "max_tokens": "length", "tool_use": "tools"}
OWN = {"text", "thinking", "redacted_thinking", "tool_use"}

# The SDK's, about recordings of models that are older than it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Pydantic serializer warnings")


@pytest.fixture(scope="module")
def client() -> Iterator[SDK]:
    with provider() as there:
        client = SDK(there)
        yield client
        client.close()


def read(row: Row) -> Any:
    return messages.read_request(json.dumps(row.request).encode(), {}, Caller("a"))


def test_every_request_reads_and_has_a_key_of_its_own(recorded: list[Row]) -> None:
    keys: dict[bytes, set[str]] = {}
    for row in recorded:
        request = read(row)
        key = KEYRING.keys(request, Question("messages", request.fields, request.fields), TARGET, "", 0)
        assert key is not None, row.id
        assert (request.model, request.stream) == (row.request["model"], bool(row.request.get("stream")))
        assert request.wants_usage
        assert isinstance(messages.question(request), str)
        assert messages.edits(request) == ()
        asked = {name: value for name, value in row.request.items() if name not in ("stream", "metadata")}
        keys.setdefault(key.exact, set()).add(json.dumps(asked, sort_keys=True))
    assert all(len(questions) == 1 for questions in keys.values())
    assert len(keys) > 30


def test_every_reply_is_recorded_with_its_usage_ending_and_tools(recorded: list[Row]) -> None:
    for row in answered(recorded):
        outcome, committed, _ = record_row(row)
        assert outcome.fault == "", row.id
        assert outcome.ending == ENDINGS[row.said("stop_reason")], row.id
        assert outcome.finishes == (row.said("stop_reason"),)
        assert outcome.served_by == row.said("model"), row.id
        assert outcome.usage == usage(row.counts), row.id
        assert list(outcome.tools) == [block["name"] for block in row.blocks if block["type"] == "tool_use"], row.id
        assert committed == bool(row.blocks), row.id


def usage(counts: dict[str, Any]) -> Usage:
    read, written = counts.get("cache_read_input_tokens") or 0, counts.get("cache_creation_input_tokens") or 0
    kept = counts.get("cache_creation") or {}
    return Usage(
        input=counts["input_tokens"] + read + written,
        output=counts["output_tokens"],
        cached=read,
        cache_write=written,
        reasoning=(counts.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        cache_write_1h=kept.get("ephemeral_1h_input_tokens") or 0,
    )


def test_what_the_provider_did_by_itself_is_seen_and_never_kept(recorded: list[Row]) -> None:
    seen = 0
    for row in answered(recorded):
        used = {block["type"] for block in row.blocks} - OWN
        outcome = record_row(row).outcome
        assert outcome.server_tools == bool(used or row.said("container")), row.id
        if used:
            seen += 1
            request = read(row)
            verdict = cacheable.verdict(request, ROUTE, True)
            assert not verdict.keep, row.id
            allowed = cacheable.Verdict(True, True, True, "for once")
            kept = cacheable.keep(request, outcome, allowed, ROUTE, CacheSpec(), target_is_primary=True)
            assert not kept.kept, row.id
    assert seen > 1


def test_what_is_kept_ended_well_and_rests_on_the_request_alone(recorded: list[Row]) -> None:
    kept = 0
    for row in answered(recorded):
        request, outcome = read(row), record_row(row).outcome
        verdict = cacheable.verdict(request, ROUTE, True)
        keep = cacheable.keep(request, outcome, verdict, ROUTE, CacheSpec(), target_is_primary=True)
        if keep.kept:
            kept += 1
            assert row.said("stop_reason") in ("end_turn", "stop_sequence", "tool_use"), row.id
            assert set(outcome.tools) <= {"get_weather"}, row.id
            assert not {"url", "file"} & sources(row.request), row.id
            assert not row.request.get("temperature"), row.id
    assert kept > 8


def sources(value: Any) -> set[str]:
    """The types of all sources of images and documents."""
    if isinstance(value, dict):
        own = {value["source"].get("type")} if isinstance(value.get("source"), dict) else set()
        return own.union(*map(sources, value.values()))
    return set().union(*map(sources, value)) if isinstance(value, list) else set()


def test_errors_are_errors(recorded: list[Row]) -> None:
    failed = [row for row in recorded if row.status >= 400]
    assert failed
    for row in failed:
        outcome = record_row(row).outcome
        assert (outcome.ending, outcome.usage) == ("error", None)


def test_any_cut_of_a_stream_gives_the_same_record(recorded: list[Row]) -> None:
    chance = random.Random(7)
    for row in recorded:
        if row.streamed:
            whole = record_row(row)
            for _ in range(4):
                cuts = [chance.randrange(len(row.raw) + 1) for _ in range(chance.choice((1, 3, 40)))]
                assert record_row(row, cuts) == whole, (row.id, cuts)


def test_a_stream_given_as_a_body_is_what_the_sdk_makes_of_the_stream(recorded: list[Row], client: SDK) -> None:
    for row in answered(recorded):
        if row.streamed and not {block["type"] for block in row.blocks} - OWN:
            made = client.accumulated(row.raw)
            body = client.message(messages.as_json(row.raw, streamed=True))
            assert said(body) == said(made), row.id


def test_a_body_given_as_a_stream_adds_up_to_the_same_message(recorded: list[Row], client: SDK) -> None:
    for row in answered(recorded):
        if not row.streamed:
            events = messages.as_events(row.raw, streamed=False, usage=True)
            assert said(client.accumulated(events)) == said(client.message(row.raw)), row.id
            assert json.loads(messages.as_json(events, streamed=True)) == row.reply, row.id


def said(message: Any) -> dict[str, Any]:
    """All of a message but what the SDK adds by itself, or takes no notice of in a stream."""
    found: dict[str, Any] = message.to_dict()
    found.pop("context_management", None)
    found["stop_details"] = found.get("stop_details")
    found["usage"] = {name: value for name, value in found["usage"].items() if name != "iterations"}
    for block in found["content"]:
        block.pop("parsed_output", None)
    return found


def test_half_of_the_estimates_of_prompts_without_media_are_within_a_fifth(recorded: list[Row]) -> None:
    off = []
    for row in answered(recorded):
        outcome = record_row(row).outcome
        if not (outcome.server_tools or sources(row.request) or outcome.usage is None):
            off.append(abs(estimate_request(row.request) / outcome.usage.input - 1))
    assert sorted(off)[len(off) // 2] < 0.2
