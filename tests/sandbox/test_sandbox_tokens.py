from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.sandbox.answer import compose
from pennyworth.sandbox.ask import Ask
from pennyworth.sandbox.settings import Settings
from pennyworth.sandbox.tokens import MEDIA_TOKENS, count, prompt_tokens, split


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("hi", ["hi"]),
        ("What is money?", ["What", " is", " money", "?"]),
        ("internationalisation", ["internationa", "lisation"]),
        ("2026-11-01", ["202", "6", "-", "11", "-", "01"]),
        ("a  b\n\nc", ["a", "  ", "b", "\n\n", "c"]),
        ("钱是什么", ["钱", "是", "什", "么"]),
        ("tiền", ["ti", "ề", "n"]),
        (" [end:" + "0f" * 16 + "]", [" [end:" + "0f" * 16 + "]"]),
    ],
)
def test_a_text_has_these_tokens(text, tokens):
    assert split(text) == tokens


@given(st.text())
def test_the_tokens_of_a_text_are_the_text(text):
    assert "".join(split(text)) == text


def test_a_prompt_has_three_tokens_of_framing_a_message_and_three_more():
    assert len(prompt_tokens({"messages": [{"role": "user", "content": "hi"}]})) == 3 + 1 + 1 + 3


def test_tools_stand_before_the_messages_because_prompt_caching_matches_prefixes():
    fields = {"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function"}]}
    assert prompt_tokens(fields)[:2] == ["[", "{"]


def test_an_image_has_a_fixed_number_of_tokens_and_two_images_differ():
    def prompt(url: str) -> list[str]:
        part = {"type": "image_url", "image_url": {"url": url}}
        return prompt_tokens({"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]})

    assert len(prompt("https://a/1.png")) == 3 + 1 + 1 + MEDIA_TOKENS + 3
    assert prompt("https://a/1.png") != prompt("https://a/2.png")


def test_an_answer_has_as_many_tokens_as_it_is_charged_for():
    ask = Ask(fields={}, model="gpt-4o", n=1, stream=False, wants_usage=False, padded=True, limit=None)
    answer = compose(ask, "ab" * 16, None, Settings())
    assert count(answer.choices[0].text) == answer.tokens == len(answer.choices[0].pieces)
