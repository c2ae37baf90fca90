"""One vendor's SDK in front of the other's provider: asked, answered, kept and refused in the words of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from pennyworth.sandbox import SandboxServer, Settings
from tests.door.running import Running, plan_for

CLAUDE, GPT = "claude-sonnet-5", "gpt-4o-mini"
MESSAGES = {
    "name": "anthropic",
    "dialects": ("messages",),
    "auth": "x-api-key",
    "headers": (("anthropic-version", "2023-06-01"),),
    "price_provider": "anthropic",
}
CHAT = {"name": "openai", "dialects": ("chat",), "price_provider": "openai"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

Ask = Callable[[], str]


class House:
    """A gateway in front of a provider of one dialect, and an SDK of each vendor."""

    def __init__(self, running: Running, sandbox: SandboxServer) -> None:
        self.running = running
        self.sandbox = sandbox
        self.openai = OpenAI(base_url=f"{running.url}/v1", api_key="anything", max_retries=0, timeout=10.0)
        self.anthropic = Anthropic(base_url=running.url, api_key="anything", max_retries=0, timeout=10.0)

    def served(self) -> list[str]:
        return [receipt.served for receipt in self.running.receipts()]


@pytest.fixture(scope="module")
def before_messages() -> Iterator[House]:
    with SandboxServer(Settings(seed=5)) as sandbox, Running(plan_for(sandbox.base_url, provider=MESSAGES)) as running:
        yield House(running, sandbox)


@pytest.fixture(scope="module")
def before_chat() -> Iterator[House]:
    with SandboxServer(Settings(seed=5)) as sandbox, Running(plan_for(sandbox.base_url, provider=CHAT)) as running:
        yield House(running, sandbox)


def question(text: str, model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 300, "messages": [{"role": "user", "content": text}], **more}


def test_openais_sdk_is_answered_by_a_provider_of_messages(before_messages: House, ask_about: Ask) -> None:
    system = {"role": "system", "content": "Be brief."}
    asked = question(ask_about(), CLAUDE)
    reply = before_messages.openai.chat.completions.create(**{**asked, "messages": [system, *asked["messages"]]})
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_anthropics_sdk_is_answered_by_a_provider_of_chat(before_chat: House, ask_about: Ask) -> None:
    reply = before_chat.anthropic.messages.create(**question(ask_about(), GPT), system="Be brief.")
    (block,) = reply.content
    assert block.type == "text"
    assert block.text
    assert reply.stop_reason in ("end_turn", "max_tokens")


@pytest.mark.parametrize("house", ["before_messages", "before_chat"])
def test_one_answer_serves_both(house: str, ask_about: Ask, request: pytest.FixtureRequest) -> None:
    found: House = request.getfixturevalue(house)
    asked = question(ask_about(), CLAUDE if house == "before_messages" else GPT)
    first = found.openai.chat.completions.create(**asked)
    again: Any = found.anthropic.messages.create(**asked)
    with found.anthropic.messages.stream(**asked) as stream:
        streamed: Any = stream.get_final_message()
    assert again.content[0].text == streamed.content[0].text == first.choices[0].message.content
    assert found.served()[-3:] == ["upstream", "exact", "exact"]


def test_calls_of_tools_cross(before_messages: House, ask_about: Ask) -> None:
    asked = question(f"FAULT:tool_calls {ask_about()}", CLAUDE, tools=[TOOL])
    choice = before_messages.openai.chat.completions.create(**asked).choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "look"
    result = {"role": "tool", "tool_call_id": call.id, "content": "seen"}
    told = [*asked["messages"], choice.message.model_dump(exclude_none=True), result]
    told[0] = {"role": "user", "content": ask_about()}
    assert before_messages.openai.chat.completions.create(**{**asked, "messages": told}).choices[0].message.content


def test_an_error_of_one_provider_is_the_other_sdks_own(
    before_messages: House, before_chat: House, ask_about: Ask
) -> None:
    with pytest.raises(openai.RateLimitError):
        before_messages.openai.chat.completions.create(**question(f"FAULT:status=429 {ask_about()}", CLAUDE))
    with pytest.raises(anthropic.RateLimitError):
        before_chat.anthropic.messages.create(**question(f"FAULT:status=429 {ask_about()}", GPT))


def test_what_cannot_be_carried_is_refused_by_name_and_nothing_is_asked(before_messages: House, ask_about: Ask) -> None:
    before_messages.sandbox.control.reset()
    with pytest.raises(openai.BadRequestError) as refused:
        before_messages.openai.chat.completions.create(**question(ask_about(), CLAUDE, seed=3))
    assert (refused.value.code, refused.value.param) == ("cannot_translate", "seed")
    assert list(before_messages.sandbox.control.bill()) == []
