"""Streams that cross vendors, by both official SDKs through the gateway: live, replayed, broken off, and without a last word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from pennyworth.outcome import Receipt
from pennyworth.sandbox import SandboxServer, Settings
from tests.door.running import Running, plan_for

Ask = Callable[[], str]
BY_ANTHROPIC = {
    "name": "anthropic",
    "dialects": ("messages",),
    "auth": "x-api-key",
    "headers": (("anthropic-version", "2023-06-01"),),
    "price_provider": "anthropic",
}
BY_OPENAI = {"dialects": ("chat",)}


class Said(NamedTuple):
    text: str
    calls: tuple[str, ...]
    stop: str | None
    tokens: tuple[int, int]
    id: str


class House(NamedTuple):
    running: Running
    sandbox: SandboxServer

    def as_openai(self, text: str, **more: Any) -> Said:
        asked = {"model": "claude-sonnet-5", "max_completion_tokens": 300, **more}
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        with OpenAI(base_url=f"{self.running.url}/v1", api_key="any", max_retries=0, timeout=10.0) as client:
            for chunk in client.chat.completions.create(
                messages=[{"role": "user", "content": text}],
                stream=True,
                stream_options={"include_usage": True},
                **asked,
            ):
                state.handle_chunk(chunk)
        found = state.current_completion_snapshot
        choice, usage = found.choices[0], found.usage
        assert usage is not None
        calls = tuple(call.function.name for call in choice.message.tool_calls or ())
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return Said(choice.message.content or "", calls, choice.finish_reason, tokens, found.id)

    def as_anthropic(self, text: str, **more: Any) -> Said:
        asked = {"model": "gpt-4o-mini", "max_tokens": 300, "messages": [{"role": "user", "content": text}], **more}
        with (
            Anthropic(base_url=self.running.url, api_key="any", max_retries=0, timeout=10.0) as client,
            client.messages.stream(**asked) as stream,
        ):
            found = stream.get_final_message()
        text = "".join(block.text for block in found.content if block.type == "text")
        calls = tuple(block.name for block in found.content if block.type == "tool_use")
        return Said(text, calls, found.stop_reason, (found.usage.input_tokens, found.usage.output_tokens), found.id)

    def last(self) -> Receipt:
        return self.running.receipts()[-1]


def houses(provider: dict[str, Any]) -> Iterator[House]:
    with SandboxServer(Settings(seed=5)) as sandbox, Running(plan_for(sandbox.base_url, provider=provider)) as running:
        yield House(running, sandbox)
        assert running.logged.lines == []


@pytest.fixture(scope="module")
def at_anthropic() -> Iterator[House]:
    yield from houses(BY_ANTHROPIC)


@pytest.fixture(scope="module")
def at_openai() -> Iterator[House]:
    yield from houses(BY_OPENAI)


def test_openais_sdk_streams_from_anthropic_and_again_from_the_cache(at_anthropic: House, ask_about: Ask) -> None:
    text = ask_about()
    live = at_anthropic.as_openai(text)
    receipt = at_anthropic.last()
    assert live.text
    assert live.stop == "stop"
    assert (receipt.usage and (receipt.usage.input, receipt.usage.output)) == live.tokens
    assert [attempt.dialect for attempt in receipt.attempts] == ["messages"]
    assert at_anthropic.as_openai(text) == live
    assert at_anthropic.last().served == "exact"


def test_anthropics_sdk_streams_from_openai_and_again_from_the_cache(at_openai: House, ask_about: Ask) -> None:
    text = ask_about()
    live = at_openai.as_anthropic(text)
    receipt = at_openai.last()
    assert live.text
    assert live.stop == "end_turn"
    assert (receipt.usage and (receipt.usage.input, receipt.usage.output)) == live.tokens
    assert [attempt.dialect for attempt in receipt.attempts] == ["chat"]
    assert at_openai.as_anthropic(text) == live
    assert at_openai.last().served == "exact"


def test_calls_of_tools_arrive_on_both_ways(at_anthropic: House, at_openai: House, ask_about: Ask) -> None:
    text = f"FAULT:tool_calls {ask_about()}"
    function = {"name": "look", "parameters": {"type": "object", "properties": {}}}
    found = at_anthropic.as_openai(text, tools=[{"type": "function", "function": function}])
    assert (found.calls, found.stop) == (("look",), "tool_calls")
    found = at_openai.as_anthropic(text, tools=[{"name": "look", "input_schema": {"type": "object", "properties": {}}}])
    assert (found.calls, found.stop) == (("look",), "tool_use")


def test_a_stream_that_ends_without_done_has_an_end_at_anthropics(at_openai: House, ask_about: Ask) -> None:
    found = at_openai.as_anthropic(f"FAULT:no_done {ask_about()}")
    assert found.stop == "end_turn"
    assert found.tokens[1] > 0


@pytest.mark.parametrize("fault", ["cut=9", "error_event=9"])
def test_a_stream_that_breaks_is_an_error_of_the_callers_own_sdk(
    at_anthropic: House, at_openai: House, ask_about: Ask, fault: str
) -> None:
    with pytest.raises(openai.APIError):
        at_anthropic.as_openai(f"FAULT:{fault} {ask_about()}")
    with pytest.raises(anthropic.APIStatusError):
        at_openai.as_anthropic(f"FAULT:{fault} {ask_about()}")
