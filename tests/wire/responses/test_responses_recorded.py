"""Every recorded interaction with a Responses endpoint goes through recorder and replay without loss."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from pennyworth.decide import worst
from pennyworth.decide.cacheable import keep, verdict
from pennyworth.money import Usage
from pennyworth.outcome import Outcome
from pennyworth.plan import CacheSpec, Route
from pennyworth.request import Caller, Request
from pennyworth.wire import responses
from tests.wire.recorded import Row
from tests.wire.responses.recorded import last_response, record, record_json, record_row

CALLS = ("function_call", "custom_tool_call")
LATER = {"obfuscation", "sequence_number", "logprobs"}
"""Fields of events that the oldest of the recordings do not have, or that nobody reads."""
REMEMBERED = ("previous_response_id", "conversation", "background", "prompt")


def good(recorded: list[Row]) -> list[Row]:
    return [row for row in recorded if row.status == 200]


def expected_ending(row: Row) -> str:
    if row.status >= 400:
        return "error"
    whole = last_response(row)
    if whole["status"] == "incomplete":
        return {"max_output_tokens": "length", "content_filter": "filtered"}[whole["incomplete_details"]["reason"]]
    if whole["status"] != "completed":
        return "cut"
    by_caller = [item["type"] in CALLS or item.get("execution") == "client" for item in whole["output"]]
    return "tools" if any(by_caller) else "complete"


def tokens(row: Row) -> Usage | None:
    usage = last_response(row).get("usage")
    if not usage or not usage["total_tokens"]:
        return None
    into, out = usage["input_tokens_details"], usage["output_tokens_details"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    return Usage(
        input=usage["input_tokens"],
        output=usage["output_tokens"],
        cached=into["cached_tokens"],
        cache_write=into.get("cache_write_tokens") or 0,
        reasoning=out["reasoning_tokens"],
    )


def test_every_reply_is_recorded_with_its_usage_and_ending(recorded: list[Row]) -> None:
    seen = set()
    for row in recorded:
        outcome = record_row(row)
        seen.add(outcome.ending)
        assert (outcome.ending, outcome.raw) == (expected_ending(row), row.raw), row.id
        if row.status == 200:
            assert outcome.usage == tokens(row), row.id
            assert outcome.served_by == last_response(row)["model"], row.id
            assert bool(outcome.fault) == (outcome.ending in ("cut", "error")), (row.id, outcome.fault)
    assert seen >= {"complete", "tools", "length", "error"}


def test_the_tools_in_it_and_the_searches_of_the_provider_are_seen(recorded: list[Row]) -> None:
    for row in good(recorded):
        output = last_response(row)["output"]
        called = [item["name"] for item in output if item["type"] in CALLS]
        assert [name for name in record_row(row).tools if name != "tool_search_call"] == called, row.id
        hosted = {"web_search_call", "code_interpreter_call", "tool_search_output", "mcp_call"}
        assert record_row(row).server_tools == any(item["type"] in hosted for item in output), row.id


def test_nothing_that_rests_on_more_than_its_request_is_kept(recorded: list[Row]) -> None:
    kept = 0
    for row in recorded:
        if is_kept(row, record_row(row)):
            kept += 1
            whole = last_response(row)
            assert (whole["status"], whole.get("background")) in (("completed", False), ("completed", None)), row.id
            assert {item["type"] for item in whole["output"]} <= {"message", "reasoning"}, row.id
            assert row.request is not None
            assert not any(row.request.get(name) for name in (*REMEMBERED, "temperature")), row.id
            assert row.request.get("store") is not True
            assert "_id" not in json.dumps(row.request.get("input")).replace("call_id", ""), row.id
    assert kept > 10


def is_kept(row: Row, outcome: Outcome) -> bool:
    request = read(row)
    judged = verdict(request, Route(), True)
    return keep(request, outcome, judged, Route(), CacheSpec(), target_is_primary=True).kept


def read(row: Row) -> Request:
    return responses.read_request(json.dumps(row.request).encode(), {}, Caller("a"))


def test_no_call_had_more_tokens_than_the_bound_on_it(recorded: list[Row]) -> None:
    """But for what the provider adds by its own account: what it remembers, finds, or holds as a file."""
    checked = 0
    for row in good(recorded):
        request = read(row)
        said, usage = json.dumps(row.request), tokens(row)
        if usage is None or "file_id" in said or not verdict(request, Route(sampled=True), True).keep:
            continue
        need = worst.bound(request)
        assert need.into >= usage.input, row.id
        assert "max_output_tokens" not in request.fields or need.out >= usage.output, row.id
        checked += 1
    assert checked > 15


def test_any_cut_of_a_stream_gives_the_same_record(recorded: list[Row]) -> None:
    chance = random.Random(7)
    for row in recorded:
        if not row.streamed:
            continue
        whole = record_row(row)
        for _ in range(4):
            cuts = [chance.randrange(len(row.raw) + 1) for _ in range(chance.choice((1, 3, 40)))]
            assert record_row(row, cuts) == whole, (row.id, cuts)


def test_a_stream_cut_at_any_byte_is_never_complete(recorded: list[Row]) -> None:
    """Not even where the connection ends as if all were well."""
    row = min((row for row in recorded if row.streamed), key=lambda row: len(row.raw))
    assert record(row.raw).ending == "complete"
    for cut in range(len(row.raw)):
        assert record(row.raw[:cut]).ending in ("cut", "error"), cut
        assert record(row.raw[:cut], ended=False).ending in ("cut", "error"), cut


def test_every_stream_cut_between_its_events_is_never_complete(recorded: list[Row]) -> None:
    for row in recorded:
        if row.streamed:
            ends = [i for i in range(len(row.raw)) if row.raw.startswith(b"\n\n", i)]
            last = row.raw.rindex(b'"response.completed"')
            for end in (end + 2 for end in ends if end < last):
                assert record(row.raw[:end]).ending == "cut", (row.id, end)


def test_a_body_goes_to_events_and_back_and_is_recorded_alike(recorded: list[Row]) -> None:
    for row in good(recorded):
        whole: dict[str, Any] = last_response(row)
        body = json.dumps(whole).encode()
        events = responses.as_events(body, streamed=False, usage=True)
        if whole["status"] not in ("completed", "incomplete"):
            continue  # made in the background: it has no end yet
        assert json.loads(responses.as_json(events, streamed=True)) == whole, row.id
        first, again = record_json(body), record(events)
        assert (again.ending, again.usage, again.finishes, again.tools, again.server_tools, again.refusal) == (
            first.ending, first.usage, first.finishes, first.tools, first.server_tools, first.refusal,
        ), row.id  # fmt: skip


def test_a_stream_given_as_a_body_is_the_response_at_its_end(recorded: list[Row]) -> None:
    for row in recorded:
        if row.streamed:
            body = responses.as_json(row.raw, streamed=True)
            assert json.loads(body) == last_response(row), row.id
            assert body in row.raw, row.id  # byte for byte, so that no number is written in another way


def test_the_events_made_of_a_stream_are_of_its_types_in_its_order(recorded: list[Row]) -> None:
    """Streamed again, a response goes through the same stages; but progress of the provider's tools is not told."""
    for row in recorded:
        if row.streamed and row.provider == "openai":
            body = responses.as_json(row.raw, streamed=True)
            made = responses.as_events(body, streamed=False, usage=True)
            assert stages(made) == stages(row.raw), row.id


def stages(raw: bytes) -> list[tuple[Any, ...]]:
    """Types of events and where they belong, several pieces of one text once."""
    found: list[tuple[Any, ...]] = []
    for line in raw.decode().splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            names = ("output_index", "content_index", "summary_index", "item_id")
            fields = tuple(sorted(set(event) - LATER))
            stage = (event["type"], fields, *(event.get(name) for name in names))
            told = not any(kind in event["type"] for kind in ("web_search_call.", "interpreter_call", "queued"))
            if told and stage not in found:
                found.append(stage)
    return found


@pytest.mark.parametrize("usage", [True, False])
def test_the_form_it_came_in_is_given_byte_for_byte(recorded: list[Row], usage: bool) -> None:
    for row in good(recorded):
        if row.streamed:
            assert responses.as_events(row.raw, streamed=True, usage=usage) == row.raw
        else:
            assert responses.as_json(row.raw, streamed=False) == row.raw
