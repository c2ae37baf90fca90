"""Recorded traffic: a folder of ``pairs.jsonl(.gz)``, one request and its reply a line, and which dialect each speaks.

The format is that of VCR cassettes flattened: ``id, provider, method, url, request_headers, request_body, status,
response_body, …``; a body is an object, or a string where it is no JSON (server-sent events). Without a ``pairs`` file all
``*.jsonl`` of the folder are read.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pennyworth.errors import ConfigError
from pennyworth.request import Dialect
from pennyworth.wire.edits import with_field

_NAMES = ("pairs.jsonl.gz", "pairs.jsonl")
_ENDS: tuple[tuple[str, Dialect], ...] = (
    ("/chat/completions", "chat"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
)
_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)/")
_NONE = msgspec.Raw(b"null")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction. The bodies are JSON as it stands in the file, numbers included."""

    id: str
    url: str
    status: int
    provider: str = ""
    method: str = "POST"
    request_headers: dict[str, Any] | None = None
    request_body: msgspec.Raw = _NONE
    response_body: msgspec.Raw = _NONE

    @property
    def asked(self) -> bytes:
        """The request's body; ``b""`` where none was recorded. Azure names the model in the path, and so does who asks it
        through us in the body."""
        body, deployment = _bytes(self.request_body), _DEPLOYMENT.search(self.url)
        if deployment is None or not body.startswith(b"{") or b'"model"' in body:
            return body
        return with_field(body, "model", msgspec.json.encode(deployment[1]))

    @property
    def reply(self) -> bytes:
        return _bytes(self.response_body)

    @property
    def streamed(self) -> bool:
        raw = bytes(self.response_body)
        return raw.startswith(b'"') and b"data:" in raw

    @property
    def headers(self) -> dict[str, str]:
        """Lower-cased names; of several values the first."""
        found = {name.lower(): value for name, value in (self.request_headers or {}).items()}
        return {name: str(value[0] if isinstance(value, list) and value else value) for name, value in found.items()}

    @property
    def dialect(self) -> Dialect:
        """By the path and the body: ``other`` is anything that is not asked and answered in a dialect of ours."""
        path = urlsplit(self.url).path.rstrip("/")
        if self.method.upper() != "POST" or not self.asked.startswith(b"{"):
            return "other"
        if path.endswith("/v1/messages"):
            return "messages"
        return next((dialect for end, dialect in _ENDS if path.endswith(end)), "other")


_READ = msgspec.json.Decoder(Row).decode
_TEXT = msgspec.json.Decoder(str).decode


def rows(folder: Path) -> Iterator[Row]:
    """All rows of a folder.

    Raises:
        ConfigError: there are none, or a line is no such row.
    """
    for file in _files(folder):
        read = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for number, line in enumerate(read.splitlines(), 1):
            try:
                yield _READ(line)
            except msgspec.DecodeError as error:
                fix = "A line is an object with id, url, status, request_body and response_body."
                raise ConfigError(f"{file}: line {number}", str(error), fix) from error


def _files(folder: Path) -> list[Path]:
    pairs = [folder / name for name in _NAMES if (folder / name).is_file()]
    found = pairs[:1] or sorted(folder.glob("*.jsonl"))
    if not found:
        fix = "Name a folder that holds pairs.jsonl or pairs.jsonl.gz (docs/eval.md)."
        raise ConfigError("--data", f"{folder} holds no recorded traffic", fix)
    return found


def _bytes(body: msgspec.Raw) -> bytes:
    raw = bytes(body)
    if raw == b"null":
        return b""
    return _TEXT(raw).encode("utf-8", "surrogatepass") if raw.startswith(b'"') else raw
