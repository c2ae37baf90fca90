"""What a request says about the cache: may it be looked up, kept, shared, and the reason in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.cacheable import Verdict, verdict
from pennyworth.plan import Route
from pennyworth.request import Caller, Directives, Request

ROUTE = Route()
PLAIN = Directives()
PNG = "data:image/png;base64,iVBORw0KGgo="


def ask(model: str = "gpt-4o-mini", *, directives: Directives = PLAIN, unkeyed: str = "", **fields: Any) -> Request:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}
    return Request(
        dialect="chat", model=model, body=b"", fields=body, caller=Caller("s"), directives=directives, unkeyed=unkeyed
    )  # fmt: skip


def judge(request: Request, route: Route = ROUTE) -> Verdict:
    return verdict(request, route, True)


def part(**content: Any) -> Request:
    return ask(messages=[{"role": "user", "content": [{"type": "text", "text": "what is this?"}, content]}])


FREE = {
    "a plain request": ask(),
    "temperature 0": ask(temperature=0),
    "temperature 0.0": ask(temperature=0.0),
    "temperature null": ask(temperature=None),
    "top_p with temperature 0": ask(temperature=0, top_p=0.5),
    "top_p alone": ask(top_p=0.5),
    "several choices": ask(n=3),
    "a seed": ask(seed=7),
    "store false": ask(store=False),
    "search off": ask(enable_search=False),
    "xAI search off": ask(search_parameters={"mode": "off"}),
    "Baidu search off": ask(web_search={"enable": False}),
    "no plugins": ask(plugins=[]),
    "Perplexity without search": ask(disable_search=True),
    "function tools": ask(tools=[{"type": "function", "function": {"name": "web_search"}}]),
    "custom tools": ask(tools=[{"type": "custom", "custom": {"name": "grep"}}]),
    "tools without a type": ask(tools=[{"name": "look", "input_schema": {}}]),
    "legacy functions": ask(functions=[{"name": "look"}]),
    "text modality": ask(modalities=["text"]),
    "an inline image": part(type="image_url", image_url={"url": PNG}),
    "an inline image as a string": part(type="image_url", image_url=PNG),
    "an inline file": part(type="file", file={"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}),
    "an inline base64 source": part(type="image", source={"type": "base64", "media_type": "image/png", "data": "AA=="}),
    "a link in the text": ask(messages=[{"role": "user", "content": "read https://example.com"}]),
    "a link in a text part": part(type="text", text="https://example.com/a.png"),
    "an org called research": ask("nousresearch/hermes-4-405b"),
    "a model that reasons": ask("perplexity/r1-1776"),
    "a model named after a sonata": ask("sonata-7b"),
    "max-age": ask(directives=Directives(max_age_s=60)),
    "max-stale": ask(directives=Directives(max_stale_s=60)),
}

REFUSED = {
    "temperature 0.7": (ask(temperature=0.7), "temperature 0.7 was asked for explicitly"),
    "temperature 1": (ask(temperature=1), "route.sampled"),
    "temperature in a string": (ask(temperature="0.7"), "route.sampled"),
    "temperature true": (ask(temperature=True), "route.sampled"),
    "temperature and a seed": (ask(temperature=0.2, seed=1), "route.sampled"),
    "store": (ask(store=True), "store"),
    "a previous response": (ask(previous_response_id="resp_1"), "previous_response_id"),
    "a conversation": (ask(conversation={"id": "conv_1"}), "conversation"),
    "a thread": (ask(thread_id="t"), "thread_id"),
    "background": (ask(background=True), "background"),
    "OpenAI search": (ask(web_search_options={}), "web_search_options"),
    "OpenAI search with options": (ask(web_search_options={"search_context_size": "low"}), "web_search_options"),
    "Qwen search": (ask(enable_search=True), "enable_search"),
    "xAI search": (ask(search_parameters={"mode": "auto"}), "search_parameters"),
    "OpenRouter plugin": (ask(plugins=[{"id": "web"}]), "plugins"),
    "Baidu search": (ask(web_search={"enable": True}), "web_search"),
    "Tencent search": (ask(enable_enhancement=True), "enable_enhancement"),
    "Perplexity recency": (ask(search_recency_filter="day"), "search_recency_filter"),
    "Perplexity searching": (ask(disable_search=False), "disable_search"),
    "Groq tools": (ask(compound_custom={"tools": {"enabled_tools": ["web_search"]}}), "compound_custom"),
    "Azure data": (ask(data_sources=[{"type": "azure_search"}]), "data_sources"),
    "Cohere connectors": (ask(connectors=[{"id": "web-search"}]), "connectors"),
    "Gemini cached content": (ask(extra_body={"google": {"cached_content": "c/1"}}), "cached_content"),
    "search in extra_body": (ask(extra_body={"enable_search": True}), "enable_search"),
    "Venice search": (ask(venice_parameters={"enable_web_search": "on"}), "enable_web_search"),
    "OpenAI search tool": (ask(tools=[{"type": "web_search"}]), "web_search"),
    "OpenRouter search tool": (ask(tools=[{"type": "openrouter:web_search"}]), "openrouter:web_search"),
    "a server tool behind a local one": (
        ask(tools=[{"type": "function", "function": {"name": "f"}}, {"type": "code_interpreter"}]),
        "code_interpreter",
    ),
    "Zhipu search tool": (ask(tools=[{"type": "web_search", "web_search": {"enable": True}}]), "web_search"),
    "Gemini search tool": (ask(tools=[{"google_search": {}}]), "google_search"),
    "Gemini search as a function": (ask(tools=[{"type": "function", "function": {"name": "googleSearch"}}]), "googleSearch"),
    "Moonshot search tool": (
        ask(tools=[{"type": "builtin_function", "function": {"name": "$web_search"}}]), "builtin_function",
    ),
    "Moonshot search as a function": (ask(tools=[{"type": "function", "function": {"name": "$web_search"}}]), "$web_search"),
    "an MCP tool": (ask(tools=[{"type": "mcp", "server_url": "https://x"}]), "mcp"),
    "tools that are no list": (ask(tools={"type": "function"}), "tools"),
    "a tool that is no object": (ask(tools=["web_search"]), "tool"),
    "spoken replies": (ask(modalities=["text", "audio"], audio={"voice": "alloy"}), "audio"),
    "image replies": (ask(modalities=["image", "text"]), "image"),
    "a recording": (part(type="input_audio", input_audio={"data": "AA==", "format": "wav"}), "recording"),
    "an earlier spoken reply": (ask(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}]), "recording"),
    "a linked image": (part(type="image_url", image_url={"url": "https://example.com/a.png"}), "link"),
    "a linked image as a string": (part(type="image_url", image_url="http://example.com/a.png"), "link"),
    "a linked image in capitals": (part(type="image_url", image_url={"url": " HTTPS://EXAMPLE.com/a.png"}), "link"),
    "an image in a bucket": (part(type="image_url", image_url={"url": "gs://b/a.png"}), "link"),
    "a file path": (part(type="video_url", video_url={"url": "file:///a.mp4"}), "link"),
    "a bare Qwen image": (part(type="image", image="https://example.com/a.png"), "link"),
    "a linked document": (part(type="document_url", document_url="https://example.com/a.pdf"), "link"),
    "a linked source": (part(type="image", source={"type": "url", "url": "https://example.com/a.png"}), "link"),
    "links in a list": (part(type="video", video=[{"url": "https://a/1.png"}]), "link"),
    "a link in a system turn": (
        ask(messages=[{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://a"}}]}]), "link",
    ),
    "content that is one part": (
        ask(messages=[{"role": "user", "content": {"type": "image_url", "image_url": {"url": "https://a"}}}]), "link",
    ),
    "an uploaded file": (part(type="file", file={"file_id": "file-1"}), "file_id"),
    "no key": (ask(unkeyed="a lone surrogate in a string"), "a lone surrogate"),
    "no-store": (ask(directives=Directives(no_store=True)), "no-store"),
    "no-store beside the rest": (ask(directives=Directives(no_store=True, no_cache=True, max_age_s=9)), "no-store"),
}  # fmt: skip

SEARCHING = [
    "gpt-4o-search-preview", "gpt-4o-mini-search-preview-2025-03-11", "openai/gpt-4o-search-preview", "gpt-5-search-api",
    "o3-deep-research", "o4-mini-deep-research-2025-06-26", "sonar", "sonar-pro", "perplexity/sonar-reasoning-pro",
    "llama-3.1-sonar-large-128k-online", "openai/gpt-5.2:online", "meta-llama/llama-3-70b:free:online", "pplx-70b-online",
    "compound-beta", "groq/compound", "groq/compound-mini", "jina-deepsearch-v1", "qwen-deep-research", "glm-4-alltools",
    "GPT-4O-SEARCH-PREVIEW", "doubao-pro-browsing",
]  # fmt: skip


@pytest.mark.parametrize("name", FREE)
def test_what_depends_on_nothing_else_may_be_looked_up_kept_and_shared(name: str) -> None:
    assert judge(FREE[name]) == Verdict(True, True, True, "may be kept")


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_have_another_answer_next_time_is_left_alone(name: str) -> None:
    request, reason = REFUSED[name]
    judged = judge(request)
    assert (judged.look, judged.keep, judged.share) == (False, False, False)
    assert reason in judged.reason


@pytest.mark.parametrize("model", SEARCHING)
def test_a_model_that_searches_is_left_alone(model: str) -> None:
    judged = judge(ask(model))
    assert (judged.look, judged.keep, judged.share, judged.why) == (False, False, False, "beyond")
    assert model in judged.reason


def test_an_alias_does_not_hide_a_model_that_searches() -> None:
    assert not verdict(ask("assistant"), ROUTE, True, "sonar-pro").keep


def test_a_route_may_keep_and_share_samples() -> None:
    assert judge(ask(temperature=0.7), Route(sampled=True)).keep
    assert judge(ask(temperature=0.7)).why == "sampled"


def test_the_kill_switch_makes_a_plain_proxy() -> None:
    judged = verdict(ask(), ROUTE, False)
    assert (judged.look, judged.keep, judged.share, judged.why) == (False, False, False, "disabled")


@pytest.mark.parametrize("directives", [Directives(no_cache=True), Directives(max_age_s=0)])
def test_asking_afresh_keeps_the_reply_but_joins_nobody(directives: Directives) -> None:
    judged = judge(ask(directives=directives))
    assert (judged.look, judged.keep, judged.share) == (False, True, False)


def test_only_if_cached_looks_and_sends_nothing() -> None:
    judged = judge(ask(directives=Directives(only_if_cached=True)))
    assert (judged.look, judged.keep, judged.share) == (True, False, False)
    assert not judge(ask(directives=Directives(only_if_cached=True, no_cache=True))).look


def test_a_part_nested_beyond_any_stack_is_judged_all_the_same() -> None:
    deep: Any = {"url": "https://example.com"}
    for _ in range(100_000):
        deep = [deep]
    assert "link" in judge(part(type="image_url", image_url=deep)).reason


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TELLING = [
    "temperature",
    "messages",
    "tools",
    "store",
    "modalities",
    "audio",
    "plugins",
    "extra_body",
    "web_search_options",
]
TELLING += ["conversation", "search_parameters", "disable_search", "n", "google", "background"]


@given(st.dictionaries(st.sampled_from(TELLING), anything))
def test_no_body_makes_a_verdict_fail(fields: dict[str, Any]) -> None:
    assert judge(ask(**fields)).reason


@given(anything, anything)
def test_no_message_makes_a_verdict_fail(content: Any, tool: Any) -> None:
    messages = [
        {"role": "user", "content": content},
        content,
        {"role": "user", "content": [content, {"type": "file", "file": tool}]},
    ]
    assert judge(ask(messages=messages, tools=[tool])).reason
