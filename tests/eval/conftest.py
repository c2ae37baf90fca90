"""Rows as a folder holds them, made from what was asked and what came back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pennyworth.eval.rows import Row, rows

URLS = {
    "chat": "https://api.openai.com/v1/chat/completions",
    "messages": "https://api.anthropic.com/v1/messages",
    "responses": "https://api.openai.com/v1/responses",
    "embeddings": "https://api.openai.com/v1/embeddings",
}


def line(dialect: str, asked: Any, said: Any, **more: Any) -> dict[str, Any]:
    found = {"id": "row-1", "provider": "openai", "method": "POST", "url": URLS[dialect], "status": 200}
    return {**found, "request_body": asked, "response_body": said, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """Writes a folder of rows and gives its path."""

    def write(*lines: dict[str, Any]) -> Path:
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        return tmp_path

    return write


@pytest.fixture
def row(folder: Any) -> Any:
    def make(dialect: str, asked: Any, said: Any, **more: Any) -> Row:
        return next(iter(rows(folder(line(dialect, asked, said, **more)))))

    return make
