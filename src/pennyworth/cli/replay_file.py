"""What is in a file to be replayed: chat requests, plain questions, or a gateway's receipts. Reads, and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pennyworth.cli.exits import CommandError, wrong_usage
from pennyworth.outcome import Receipt

_QUESTION_FIELDS = ("question", "prompt", "text", "query", "content")
_WRAPPERS = ("body", "request")
_SHAPES = (
    'A line may be a chat request ({"model": …, "messages": […]}), a line of a batch file ({"body": {…}}), a question '
    '({"question": "…"}, "…", or plain text) or a receipt.'
)


class Ask(msgspec.Struct, frozen=True):
    """A request to send: the line it stands on, and its body. ``nameless``: it does not say which model."""

    line: int
    body: bytes
    nameless: bool = False


class Contents(msgspec.Struct, frozen=True):
    """Either requests or receipts; a file holds one kind."""

    asks: list[Ask]
    receipts: list[Receipt]


def read(path: str, model: str, *, placeholder: str = "") -> Contents:
    """The file's contents. ``model``: for questions that name none; without one they are nameless, under ``placeholder``.

    Raises:
        CommandError: it cannot be read, a line is none of these, or there is nothing in it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise wrong_usage(f"{path!r} cannot be read: {reason}.", _SHAPES) from error
    entries = list(_entries(text))
    receipts = [_receipt(line, entry) for line, entry in entries if _is_receipt(entry)]
    asks = [
        _ask(line, entry, model or placeholder, named=bool(model)) for line, entry in entries if not _is_receipt(entry)
    ]
    if not entries:
        raise wrong_usage(f"{path!r} is empty.", _SHAPES)
    if receipts and asks:
        raise wrong_usage(f"{path!r} mixes receipts with requests (line {asks[0].line}).", "Split it in two.")
    return Contents(asks, receipts)


def _entries(text: str) -> Iterator[tuple[int, Any]]:
    """Line number and value. One JSON document is taken as the list it holds; a line that is no JSON is a question."""
    whole = _json(text) if text.lstrip()[:1] in ("[", "{") else None
    if isinstance(whole, dict) and isinstance(whole.get("receipts"), list):
        whole = whole["receipts"]
    if whole is not None:
        yield from enumerate(whole if isinstance(whole, list) else [msgspec.Raw(text.strip().encode())], 1)
        return
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: it cuts at U+2028, which JSON may hold
        if line.strip():
            yield number, _line(number, line.strip())


def _line(number: int, line: str) -> Any:
    if line[0] not in '{["':
        return line
    value = _json(line)
    if value is None and line[0] == "{":
        raise wrong_usage(f"line {number} begins like JSON and is none: {line[:60]!r}.", _SHAPES)
    return line if value is None else msgspec.Raw(line.encode()) if line[0] == "{" else value


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _fields(entry: Any) -> dict[str, Any]:
    value = msgspec.json.decode(entry) if isinstance(entry, msgspec.Raw) else entry
    return value if isinstance(value, dict) else {}


def _is_receipt(entry: Any) -> bool:
    fields = _fields(entry)
    return "served" in fields and "would_have_cost" in fields and "messages" not in fields


def _receipt(line: int, entry: Any) -> Receipt:
    fields = {name: value for name, value in _fields(entry).items() if name != "type"}
    try:
        return msgspec.convert(fields | {"type": "receipt"}, type=Receipt)
    except msgspec.ValidationError as error:
        raise wrong_usage(f"line {line} looks like a receipt and is none: {error}.", _SHAPES) from error


def _ask(line: int, entry: Any, model: str, *, named: bool) -> Ask:
    if isinstance(entry, str):
        return _question(line, entry, model, named=named)
    fields = _fields(entry)
    if "messages" in fields:
        return _request(line, fields, _bytes(entry), model, named=named)
    for name in _WRAPPERS:
        inner = fields.get(name)
        if isinstance(inner, dict) and "messages" in inner:
            return _request(line, inner, _inner(entry, name), model, named=named)
    for name in _QUESTION_FIELDS:
        if isinstance(fields.get(name), str):
            return _question(line, fields[name], model, named=named)
    raise _unknown(line, entry)


def _request(line: int, fields: dict[str, Any], body: bytes, model: str, *, named: bool) -> Ask:
    """A body that names its model is sent byte by byte as it stands in the file."""
    if fields.get("model"):
        return Ask(line, body)
    return Ask(line, msgspec.json.encode({**fields, "model": model}), nameless=not named)


def _question(line: int, text: str, model: str, *, named: bool) -> Ask:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return Ask(line, msgspec.json.encode(body), nameless=not named)


def _bytes(entry: Any) -> bytes:
    return bytes(entry) if isinstance(entry, msgspec.Raw) else msgspec.json.encode(entry)


def _inner(entry: Any, name: str) -> bytes:
    if not isinstance(entry, msgspec.Raw):
        return msgspec.json.encode(entry[name])
    return bytes(msgspec.json.decode(entry, type=dict[str, msgspec.Raw])[name])


def _unknown(line: int, entry: Any) -> CommandError:
    shown = _bytes(entry)[:60].decode(errors="replace")
    return wrong_usage(f"line {line} is none of what can be replayed: {shown}", _SHAPES)
