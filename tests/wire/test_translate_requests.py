"""Requests in the words of another dialect: how each thing is said there, and what is refused."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import msgspec
import pytest

from pennyworth.errors import RequestError
from pennyworth.plan import HINTS
from pennyworth.request import Dialect
from pennyworth.wire.translate import plain_form, request_into
from tests.wire.meanings import request_in

USER = {"role": "user", "content": "Why?"}
CHAT: dict[str, Any] = {"model": "claude-sonnet-4-5", "messages": [USER], "max_tokens": 9}
MESSAGES: dict[str, Any] = {**CHAT}
RESPONSES: dict[str, Any] = {"model": "m", "input": "Why?", "max_output_tokens": 9}
START: dict[Dialect, dict[str, Any]] = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1.50}'}}
OTHER = {"id": "c2", "type": "function", "function": {"name": "find", "arguments": ""}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL, OTHER]}
RESULTS = [
    {"role": "tool", "tool_call_id": "c1", "content": "one"},
    {"role": "tool", "tool_call_id": "c2", "content": "two"},
]
SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}


def said(origin: Dialect, into: Dialect, drop: tuple[str, ...] = (), /, **fields: Any) -> dict[str, Any]:
    translated = request_into(request_in(origin, {**START[origin], **fields}), into, drop).request
    assert msgspec.json.decode(translated.body) == json.loads(json.dumps(translated.fields, default=float))
    return json.loads(translated.body)  # type: ignore[no-any-return]


CHAT_AS_MESSAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"messages": [{"role": "system", "content": "Be brief."}, USER]}, {"system": "Be brief.", "messages": [USER]}),
    (
        {"messages": [{"role": "developer", "content": "a"}, {"role": "system", "content": "b"}, USER]},
        {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ),
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"max_tokens": None, "max_completion_tokens": 7}, {"max_tokens": 7}),
    ({"user": "ann"}, {"metadata": {"user_id": "ann"}}),
    ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
    (
        {"tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"tool_choice": {"type": "tool", "name": "look"}},
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "look"}}], "parallel_tool_calls": False},
        {
            "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}}),
    ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    ({"top_k": 5}, {"top_k": 5}),
    (
        {"messages": [USER, CALLED, *RESULTS]},
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1.5}},
                        {"type": "tool_use", "id": "c2", "name": "find", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                        {"type": "tool_result", "tool_use_id": "c2", "content": "two"},
                    ],
                },
            ]
        },
    ),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
                    ],
                }
            ]
        },
    ),
    (
        {
            "messages": [
                USER,
                {"role": "assistant", "content": "So.", "reasoning_content": "Hm.", "reasoning_details": [SIGNED]},
                USER,
            ]
        },
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                        {"type": "text", "text": "So."},
                    ],
                },
                USER,
            ]
        },
    ),
]


@pytest.mark.parametrize(("fields", "expected"), CHAT_AS_MESSAGES)
def test_what_chat_asks_is_said_in_messages(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = said("chat", "messages", **fields)
    assert {name: found.get(name) for name in expected} == expected


def test_thoughts_come_back_to_their_maker_as_they_were() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
    ]
    answer = {"role": "assistant", "content": [*thoughts, {"type": "tool_use", "id": "t", "name": "look", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}
    there = said("messages", "chat", messages=[USER, answer, result])
    assert there["messages"][1]["reasoning_content"] == "Hm."
    assert said("chat", "messages", messages=there["messages"])["messages"][1] == answer


def test_a_request_without_a_cap_asks_for_the_longest_answer_its_model_gives() -> None:
    capless = {"max_tokens": None}
    assert said("chat", "messages", **capless)["max_tokens"] == 64_000
    assert said("chat", "messages", **capless, model="anthropic/claude-3.5-haiku")["max_tokens"] == 8_192
    assert said("chat", "messages", **capless, model="claude-3-haiku-20240307")["max_tokens"] == 4_096
    assert said("chat", "messages", **capless, model="something-else")["max_tokens"] == 32_000


def test_an_answer_is_not_stored_where_the_caller_did_not_ask_for_it() -> None:
    assert said("chat", "responses")["store"] is False
    assert said("chat", "responses", store=True)["store"] is True


def test_defaults_are_left_out_without_a_word() -> None:
    defaults = {
        "n": 1,
        "frequency_penalty": 0.0,
        "logprobs": False,
        "logit_bias": {},
        "response_format": {"type": "text"},
    }
    assert said("chat", "messages", **defaults) == said("chat", "messages")


def test_a_stream_asks_for_its_usage_and_keeps_the_callers_headers() -> None:
    request = msgspec.structs.replace(
        request_in("messages", {**MESSAGES, "stream": True}),
        vary=(("anthropic-beta", "x"), ("x-own", "y")),
        tags=("team",),
        once="key",
        timeout_s=3.0,
    )
    there = request_into(request, "chat").request
    assert there.fields["stream_options"] == {"include_usage": True}
    assert (there.wants_usage, there.stream, there.dialect) == (True, True, "chat")
    assert (there.vary, there.tags, there.once, there.timeout_s) == ((("x-own", "y"),), ("team",), "key", 3.0)


REFUSED: list[tuple[Dialect, Dialect, dict[str, Any], str]] = [
    ("chat", "messages", {"temperature": 1.5}, "temperature"),
    ("chat", "messages", {"n": 2}, "n"),
    ("chat", "messages", {"seed": 3}, "seed"),
    ("chat", "messages", {"logprobs": True}, "logprobs"),
    ("chat", "messages", {"unheard_of": 1}, "unheard_of"),
    ("chat", "messages", {"reasoning_effort": "minimal"}, "reasoning_effort"),
    ("chat", "messages", {"response_format": {"type": "json_object"}}, "response_format"),
    ("chat", "messages", {"max_completion_tokens": 7}, "max_tokens"),
    ("chat", "messages", {"messages": [{**USER, "name": "ann"}]}, "messages[0].name"),
    ("chat", "messages", {"messages": [USER, {"role": "assistant", "content": "Be"}]}, "messages[1].prefill"),
    (
        "chat",
        "messages",
        {"messages": [{"role": "user", "content": ["?"]}]},
        "messages[0].content[0].content",
    ),
    (
        "chat",
        "messages",
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "A"}}]}]},
        "messages[0].content[0].input_audio",
    ),
    (
        "chat",
        "messages",
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "?", "cache_control": {"type": "ephemeral"}}]}
            ]
        },
        "messages[0].content[0].cache_control",
    ),
    (
        "chat",
        "messages",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://host/1.png", "detail": "high"}}],
                }
            ]
        },
        "messages[0].content[0].image_url.detail",
    ),
    (
        "chat",
        "messages",
        {"messages": [USER, {"role": "assistant", "content": "So.", "reasoning_content": "Hm."}, USER]},
        "messages[1].reasoning_content",
    ),
    (
        "chat",
        "messages",
        {
            "messages": [
                USER,
                {**CALLED, "tool_calls": [{**CALL, "function": {"name": "look", "arguments": "{"}}]},
                *RESULTS,
            ]
        },
        "messages[1].tool_calls[0].function.arguments",
    ),
    ("chat", "messages", {"tools": [{"type": "web_search"}]}, "tools[0].web_search"),
    ("messages", "chat", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
    ("messages", "chat", {"top_k": 5}, "top_k"),
    ("messages", "chat", {"metadata": {"user_id": "ann", "more": 1}}, "metadata"),
    (
        "messages",
        "chat",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True}],
                }
            ]
        },
        "messages[0].content[0].is_error",
    ),
    ("chat", "responses", {"stop": ["END"]}, "stop"),
    ("responses", "chat", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("responses", "chat", {"reasoning": {"effort": "low", "summary": "auto"}}, "reasoning.summary"),
    ("responses", "messages", {"text": {"verbosity": "low"}}, "text.verbosity"),
]


@pytest.mark.parametrize(("origin", "into", "fields", "param"), REFUSED)
def test_what_cannot_be_carried_is_refused_by_its_name(
    origin: Dialect, into: Dialect, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(RequestError) as refused:
        said(origin, into, **fields)
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "cannot_translate", param)


def test_a_refusal_shows_where_what_cannot_be_carried_points_to() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://host/1.png"}}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [picture]}]}
    with pytest.raises(RequestError, match=r"content\[0\]\.image: 'https://host/1\.png' cannot be said"):
        said("messages", "chat", messages=[USER, result])


def test_a_call_in_blocks_has_no_empty_list_beside_it_in_chat() -> None:
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": []}]}
    _, called, given = said("messages", "chat", messages=[USER, call, result])["messages"]
    assert (called["content"], given["content"]) == (None, "")


def test_an_empty_text_beside_a_call_is_not_sent_where_it_would_be_refused() -> None:
    called = said("chat", "messages", messages=[USER, {**CALLED, "content": ""}, *RESULTS])["messages"][1]
    assert [block["type"] for block in called["content"]] == ["tool_use", "tool_use"]


def test_a_turn_that_says_nothing_is_not_sent_where_it_would_be_refused() -> None:
    silent = {"role": "assistant", "content": None, "reasoning_content": "Hm."}
    assert said("chat", "messages", HINTS, messages=[USER, silent, USER])["messages"] == [USER, USER]


def test_a_result_may_name_the_tool_that_was_called_and_no_other() -> None:
    one, two = RESULTS
    said("chat", "messages", messages=[USER, CALLED, {**one, "name": "look"}, two])
    with pytest.raises(RequestError) as refused:
        said("chat", "messages", messages=[USER, CALLED, {**one, "name": "find"}, two])
    assert refused.value.param == "messages[2].name"


def test_half_a_character_and_deep_arguments_are_carried_or_refused_like_anything_else() -> None:
    used = {"type": "tool_use", "id": "t", "name": "look", "input": {"a": "\ud800"}}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}
    body = {**MESSAGES, "messages": [USER, {"role": "assistant", "content": [used]}, result]}
    there = request_into(request_in("messages", body), "chat").request
    assert json.loads(json.loads(there.body)["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {
        "a": "\ud800"
    }
    deep = {**CALL, "function": {"name": "look", "arguments": "[" * 9_000}}
    request = request_in("chat", {**CHAT, "messages": [USER, {**CALLED, "tool_calls": [deep]}, RESULTS[0]]})
    assert plain_form(request) is None
    with pytest.raises(RequestError, match=r"function\.arguments"):
        request_into(request, "messages")


def test_a_refusal_says_what_where_and_how_to_mend_it() -> None:
    with pytest.raises(RequestError) as refused:
        said("chat", "messages", seed=3)
    assert refused.value.message == (
        "seed: 3 cannot be said in Anthropic messages, which is what this model's provider speaks. Leave it out, choose a "
        'model of another provider, or ask the operator to add "seed" to routes.drop.'
    )


@pytest.mark.parametrize(("origin", "into", "fields", "param"), REFUSED)
def test_what_the_operator_allows_is_left_out_and_named(
    origin: Dialect, into: Dialect, fields: dict[str, Any], param: str
) -> None:
    name = param.rpartition(".")[2].partition("[")[0]
    translated = request_into(request_in(origin, {**START[origin], **fields}), into, (name,))
    assert translated.dropped == (name,)


def test_hints_may_be_dropped_unless_the_operator_says_otherwise() -> None:
    hints = {
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "service_tier": "flex",
        "metadata": {"a": "b"},
        "store": True,
    }
    request = request_in("chat", {**CHAT, **hints})
    assert set(request_into(request, "messages", HINTS).dropped) == set(hints)


@pytest.mark.parametrize("into", ["chat", "responses"])
@pytest.mark.parametrize(
    ("role", "block", "word"),
    [
        ("user", {"type": "thinking", "thinking": "Hm.", "signature": "s"}, "thinking"),
        ("user", {"type": "tool_use", "id": "c", "name": "look", "input": {}}, "toolcall"),
        ("assistant", {"type": "tool_result", "tool_use_id": "c", "content": "one"}, "toolresult"),
    ],
)
def test_a_block_in_a_turn_it_does_not_belong_to_is_refused_and_not_sent_as_nothing(
    role: str, block: dict[str, Any], word: str, into: Dialect
) -> None:
    messages = [USER, {"role": role, "content": [{"type": "text", "text": "So"}, block]}, USER]
    with pytest.raises(RequestError, match=rf"messages\[1\]\.content\[1\].{word}"):
        said("messages", into, messages=messages)


def test_a_bare_thought_alone_leaves_no_turn_of_nothing_behind() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    asked = [{"role": "user", "content": "Why?"}, thought, {"role": "user", "content": "So?"}]
    roles = [message["role"] for message in said("responses", "chat", input=asked)["messages"]]
    assert roles == ["user", "user"]


@pytest.mark.parametrize(("origin", "into"), [("chat", "messages"), ("responses", "chat")])
def test_four_times_the_turns_in_a_row_take_about_four_times_the_work(origin: Dialect, into: Dialect) -> None:
    """A body may be all turns of one sort. Work that grows with the square of it (16 times here) would hold up everybody."""
    assert _work(origin, into, 16_000) < 9 * _work(origin, into, 4_000)


def _work(origin: Dialect, into: Dialect, count: int) -> float:
    results = [{"role": "tool", "tool_call_id": "c1", "content": "one"}] * count
    items = [{"role": "assistant", "content": "a"}] * count
    asked: dict[str, Any] = (
        {"messages": [USER, CALLED, *results, USER]} if origin == "chat" else {"input": [*items, USER]}
    )
    request = request_in(origin, {**START[origin], **asked})
    taken = []
    gc.disable()  # it looks at everything the tests have made, again and again
    try:
        for _ in range(3):
            started = time.process_time()
            request_into(request, into)
            taken.append(time.process_time() - started)
    finally:
        gc.enable()
    return min(taken)
