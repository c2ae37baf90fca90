"""One line of a batch file, read: a request with the name its answer will bear, or what is wrong with the line.

OpenAI's format (https://platform.openai.com/docs/guides/batch): ``{"custom_id", "method", "url", "body"}``. The body's
bytes are kept as they stand in the file, as a door keeps those of a request.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from pennyworth.wire.codec import Codec
from pennyworth.wire.dialects import CODECS

LONGEST_ID = 512

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


class Line(NamedTuple):
    """A request. ``number``: where it stands in the file, from 0. ``seal``: of all that it says."""

    number: int
    custom_id: str
    codec: Codec
    body: bytes
    seal: bytes


class Problem(NamedTuple):
    """A line that asks for nothing. ``custom_id``: as far as it could be read, else ``None``."""

    number: int
    custom_id: str | None
    code: str
    message: str


def urls() -> dict[str, Codec]:
    """What may be asked in a batch: the dialects, at the paths of the public door."""
    return {f"/v1{codec.PATH}": codec for codec in CODECS.values()}


class LineReader:
    """Reads lines one by one. Whether a name came before is not its business."""

    def __init__(self) -> None:
        self._urls = urls()

    def read(self, number: int, text: bytes) -> Line | Problem:
        try:
            fields = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Problem(number, None, "invalid_json", "The line is not a JSON object.")
        custom_id = _string(fields.get("custom_id"))
        if not custom_id or len(custom_id) > LONGEST_ID:
            message = f"custom_id is needed: a text of 1 to {LONGEST_ID} characters, another on each line."
            return Problem(number, None, "missing_custom_id", message)
        method, url = _string(fields.get("method", msgspec.Raw(b'"POST"'))), _string(fields.get("url"))
        if method != "POST":
            return Problem(number, custom_id, "invalid_method", 'method must be "POST".')
        codec = self._urls.get(url or "")
        if codec is None:
            message = f"url {(url or '')[:80]!r} cannot be asked in a batch. There are: {', '.join(self._urls)}."
            return Problem(number, custom_id, "invalid_url", message)
        body = bytes(fields.get("body", b"")).strip()
        if not body.startswith(b"{"):
            return Problem(number, custom_id, "missing_body", "body is needed: the request, as a JSON object.")
        return Line(number, custom_id, codec, body, _seal(custom_id, codec, body))


def _string(value: msgspec.Raw | None) -> str | None:
    if value is None:
        return None
    try:
        return _text(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _seal(custom_id: str, codec: Codec, body: bytes) -> bytes:
    head = f"{codec.PATH}\0{custom_id}\0".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(head + body, digest_size=16).digest()
