"""Which name a provider may give the model that answered: rows, and every pair of the recorded traffic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.recorded import record_row, rows

from pennyworth.decide.model_names import other_model

SAME = [
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-3.5-turbo", "gpt-35-turbo"),
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("gpt-4-turbo-preview", "gpt-4-0125-preview"),
    ("gpt-4-vision-preview", "gpt-4-1106-vision-preview"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929"),
    ("claude-sonnet-4-5", "claude-4.5-sonnet-20250929"),
    ("gemini-2.0-flash", "gemini-2.0-flash-001"),
    ("gemini-2.0-flash", "models/gemini-2.0-flash"),
    ("gemini-flash-latest", "gemini-2.5-flash"),
    ("mistral-large-latest", "mistral-large-2411"),
    ("open-mixtral-8x22b", "open-mixtral-8x22b-2404"),
    ("deepseek-chat", "deepseek-v3"),
    ("deepseek-reasoner", "deepseek-v4-flash"),
    ("qwen-plus", "qwen-plus-2025-09-11"),
    ("llama3", "llama3:latest"),
    ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b-versatile"),
    ("command-r", "command-r-08-2024"),
    ("my-deployment", "gpt-4o-2024-08-06"),
    ("sql-adapter", "/models/Llama-3.1-8B"),
    ("gpt-4o", "whatever"),
    ("gpt-4o", ""),
]

OTHER = [
    ("gpt-4.1-mini", "moonshotai/kimi-k2"),
    ("google/gemini-2.0-flash-exp:free", "x-ai/grok-4"),
    ("claude-3-opus", "gpt-4o"),
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-mini", "gpt-4o"),
    ("gpt-4o", "gpt-4-turbo"),
    ("gpt-4", "gpt-3.5-turbo-0125"),
    ("gpt-4", "gpt-4.1"),
    ("o1", "o1-mini-2024-09-12"),
    ("o3", "o4-mini"),
    ("claude-sonnet-4-5", "claude-haiku-4-5"),
    ("claude-opus-4", "claude-opus-3"),
    ("gemini-2.5-pro", "gemini-2.5-flash"),
    ("mistral-large-latest", "mistral-small-2506"),
    ("qwen-max", "qwen-turbo"),
    ("deepseek-reasoner", "deepseek-chat"),
    ("deepseek-r1", "deepseek-r1-distill-qwen-7b"),
    ("llama-3.3-70b", "llama-3.1-8b"),
    ("llama-3.1-70b", "llama-3.1-8b"),
]


@pytest.mark.parametrize(("asked", "said"), SAME)
def test_an_alias_a_date_or_a_name_of_ones_own_is_no_other_model(asked: str, said: str) -> None:
    assert not other_model(asked, said)


@pytest.mark.parametrize(("asked", "said"), OTHER)
def test_another_family_version_or_size_is_another_model(asked: str, said: str) -> None:
    assert other_model(asked, said)


@given(st.text() | st.sampled_from([name for pair in SAME + OTHER for name in pair]))
def test_no_model_is_another_than_itself(name: str) -> None:
    assert not other_model(name, name)
    assert not other_model(name, f"company/{name}") or "/" in name or ":" in name
    assert not other_model(name, "")


def test_in_all_recorded_traffic_two_pairs_are_other_models_and_both_are() -> None:
    found = set()
    for row in rows("whole"):
        asked = (row.request or {}).get("model") or ""
        if row.status == 200 and other_model(asked, said := record_row(row).served_by):
            found.add((asked, said))
    assert found == {("gpt-4.1-mini", "moonshotai/kimi-k2"), ("google/gemini-2.0-flash-exp:free", "x-ai/grok-4")}
