"""What a request to Responses says about the cache: what is kept, and what rests on more than the request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.cacheable import Verdict, verdict
from pennyworth.plan import Route
from pennyworth.request import Caller, Request

PNG = "data:image/png;base64,iVBORw0KGgo="
FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def ask(said: Any = "hello", *, model: str = "gpt-5-mini", **fields: Any) -> Request:
    body = {"model": model, "input": said, **fields}
    return Request(dialect="responses", model=model, body=b"", fields=body, caller=Caller("s"))


def part(**content: Any) -> Request:
    return ask([{"role": "user", "content": [{"type": "input_text", "text": "what is this?"}, content]}])


def item(**fields: Any) -> Request:
    return ask([{"role": "user", "content": "go on"}, fields])


def judge(request: Request) -> Verdict:
    return verdict(request, Route(), True)


FREE = {
    "a text": ask(),
    "no word of store, which is on": ask(),
    "store false": ask(store=False),
    "no previous response": ask(previous_response_id=None, conversation=None, background=False, prompt=None),
    "messages": ask([{"role": "user", "content": "hi"}, {"type": "message", "role": "assistant", "content": "ho"}]),
    "functions": ask(tools=[FUNCTION, {"type": "custom", "name": "grep"}]),
    "no tools": ask(tools=[]),
    "a call and its result": ask(
        [
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "look", "arguments": '{"url":"https://a"}'},
            {"type": "function_call_output", "call_id": "c", "output": "see https://example.com"},
        ]
    ),
    "a result with a picture in it": item(
        type="function_call_output", call_id="c", output=[{"type": "input_image", "image_url": PNG}]
    ),
    "thoughts that come along": item(type="reasoning", id="rs_1", summary=[], encrypted_content="gAAAA"),
    "thoughts in clear": item(type="reasoning", id="rs_1", content=[{"type": "reasoning_text", "text": "hm"}]),
    "an inline image": part(type="input_image", image_url=PNG, detail="auto"),
    "an inline file": part(type="input_file", filename="a.pdf", file_data="data:application/pdf;base64,AA=="),
    "a link in the text": ask("read https://example.com"),
    "a quoted answer": ask(
        [
            {
                "role": "assistant",
                "content": [{"type": "output_text", "text": "a", "annotations": [{"url": "https://a"}]}],
            }
        ]
    ),
    "thoughts to be returned encrypted": ask(include=["reasoning.encrypted_content", "message.output_text.logprobs"]),
    "nothing to be included": ask(include=[]),
    "a shape for the reply": ask(text={"format": {"type": "json_schema", "name": "x", "schema": {}}}),
    "effort": ask(reasoning={"effort": "low", "summary": "auto"}, truncation="auto", max_tool_calls=3),
    "temperature 0": ask(temperature=0),
}

REFUSED = {
    "store": (ask(store=True), "store"),
    "a previous response": (ask(previous_response_id="resp_1"), "previous_response_id"),
    "a conversation": (ask(conversation="conv_1"), "conversation"),
    "a conversation as an object": (ask(conversation={"id": "conv_1"}), "conversation"),
    "background": (ask(background=True), "background"),
    "a prompt template": (ask(prompt={"id": "pmpt_1", "version": "2"}), "prompt"),
    "web search": (ask(tools=[{"type": "web_search"}]), "web_search"),
    "web search of old": (ask(tools=[{"type": "web_search_preview_2025_03_11"}]), "web_search_preview"),
    "file search": (ask(tools=[FUNCTION, {"type": "file_search", "vector_store_ids": ["v"]}]), "file_search"),
    "code": (ask(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]), "code_interpreter"),
    "images": (ask(tools=[{"type": "image_generation"}]), "image_generation"),
    "another server": (ask(tools=[{"type": "mcp", "server_url": "https://x"}]), "mcp"),
    "a computer": (ask(tools=[{"type": "computer_use_preview"}]), "computer_use_preview"),
    "a shell": (ask(tools=[{"type": "local_shell"}]), "local_shell"),
    "tools found by the provider": (ask(tools=[{"type": "tool_search"}]), "tool_search"),
    "tools that come with an item": (item(type="additional_tools", role="developer", tools=[{"type": "web_search"}]), "web_search"),
    "a reference": (item(type="item_reference", id="msg_1"), "item_reference"),
    "a reference without its type": (item(id="msg_1"), "item_reference"),
    "thoughts by name": (item(type="reasoning", id="rs_1", summary=[]), "reasoning"),
    "an earlier image by name": (item(type="image_generation_call", id="ig_1"), "image_generation_call"),
    "a linked image": (part(type="input_image", image_url="https://example.com/a.png"), "link"),
    "an uploaded image": (part(type="input_image", file_id="file-1"), "file_id"),
    "a linked file": (part(type="input_file", file_url="https://example.com/a.pdf"), "link"),
    "an uploaded file": (part(type="input_file", file_id="file-1"), "file_id"),
    "a recording": (part(type="input_audio", input_audio={"data": "AA==", "format": "wav"}), "recording"),
    "a linked picture as a result": (
        item(type="computer_call_output", call_id="c", output={"type": "computer_screenshot", "image_url": "https://a/b.png"}),
        "link",
    ),
    "results to be included": (ask(include=["web_search_call.action.sources"]), "web_search_call.action.sources"),
    "files to be included": (ask(include=["reasoning.encrypted_content", "file_search_call.results"]), "file_search_call"),
    "an odd thing to be included": (ask(include=[7]), "include"),
    "a model that searches": (ask(model="o3-deep-research"), "searches"),
    "temperature 0.7": (ask(temperature=0.7), "route.sampled"),
}  # fmt: skip


@pytest.mark.parametrize("name", FREE)
def test_what_depends_on_nothing_else_may_be_looked_up_kept_and_shared(name: str) -> None:
    assert judge(FREE[name]) == Verdict(True, True, True, "may be kept")


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_have_another_answer_next_time_is_left_alone(name: str) -> None:
    request, reason = REFUSED[name]
    found = judge(request)
    assert (found.look, found.keep, found.share) == (False, False, False)
    assert reason in found.reason


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["reasoning", "item_reference"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["type", "role", "content", "output", "id", "tools", "image_url"]), inner, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


@given(VALUES, VALUES, VALUES)
def test_no_body_makes_a_verdict_fail(said: Any, include: Any, prompt: Any) -> None:
    assert judge(ask(said, include=include, prompt=prompt)).reason
