"""A folder of recorded traffic, read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pennyworth.errors import ConfigError
from pennyworth.eval.rows import rows
from tests.eval.conftest import line


@pytest.mark.parametrize(
    ("url", "method", "dialect"),
    [
        ("https://api.openai.com/v1/chat/completions", "POST", "chat"),
        ("https://x.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=1", "POST", "chat"),
        ("https://api.anthropic.com/v1/messages?beta=true", "POST", "messages"),
        ("https://api.anthropic.com/v1/messages/count_tokens", "POST", "other"),
        ("https://api.openai.com/v1/threads/thread_1/messages", "POST", "other"),
        ("https://openrouter.ai/api/v1/responses", "POST", "responses"),
        ("https://api.openai.com/v1/responses/compact", "POST", "other"),
        ("https://api.openai.com/v1/responses", "GET", "other"),
        ("https://api.openai.com/v1/embeddings", "POST", "embeddings"),
        ("https://api.openai.com/v1/completions", "POST", "other"),
    ],
)
def test_the_dialect_is_known_by_the_path(row: Any, url: str, method: str, dialect: str) -> None:
    assert row("chat", {"model": "m"}, {}, url=url, method=method).dialect == dialect


def test_what_was_asked_without_a_json_body_is_of_no_dialect(row: Any) -> None:
    assert row("chat", None, {}).dialect == "other"
    assert row("chat", "--form--", {}).dialect == "other"


def test_bodies_keep_their_numbers_as_they_were_written(folder: Any) -> None:
    there = folder(line("chat", {"model": "m", "temperature": 0}, {}))
    raw = (there / "pairs.jsonl").read_text().replace('"temperature": 0', '"temperature": 0.70')
    (there / "pairs.jsonl").write_text(raw)
    assert b"0.70" in next(rows(there)).asked


def test_azure_names_the_model_in_the_path_which_is_put_where_openai_has_it(row: Any) -> None:
    found = row("chat", {"messages": []}, {}, url="https://x/openai/deployments/gpt-4o/chat/completions")
    assert json.loads(found.asked) == {"model": "gpt-4o", "messages": []}


def test_zipped_or_not_and_without_pairs_all_files_of_lines_are_read(tmp_path: Path) -> None:
    one = json.dumps(line("chat", {"model": "m"}, "data: {}\n\n"))
    (tmp_path / "b.jsonl").write_text(one)
    (tmp_path / "a.jsonl").write_text(one)
    assert [found.streamed for found in rows(tmp_path)] == [True, True]
    (tmp_path / "pairs.jsonl.gz").write_bytes(gzip.compress(one.encode()))
    assert len(list(rows(tmp_path))) == 1


@pytest.mark.parametrize("text", [None, "no json", '{"id": 1}'])
def test_what_is_no_such_folder_is_said_with_the_fix(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "pairs.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"Name a folder|A line is an object"):
        list(rows(tmp_path))
