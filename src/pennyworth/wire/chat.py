"""OpenAI chat completions: reads a request and says what a cache needs to know of it.

Only fields that decide who is asked, how the reply travels or whether it may be kept are looked at; a wrong type
there is refused by name. Everything else is the provider's business and passes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth import canonical
from pennyworth.errors import RequestError
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import json_tree
from pennyworth.wire.headers import read_cache_control

PATH = "/chat/completions"
_FORBIDDEN = ("api_base", "base_url", "api_key")
"""Body fields by which other gateways let a caller choose who is asked (CVE-2024-6587)."""

TAGS_HEADER = "x-pennyworth-tags"


def read_request(
    body: bytes, headers: Mapping[str, str], caller: Caller, *, vary: Iterable[str] = (), max_depth: int = 128
) -> Request:
    """The request in these bytes.

    Args:
        headers: lower-cased names.
        vary: names of headers that change answers.

    Raises:
        RequestError: malformed, ambiguous, or a field we act on has the wrong type.
    """
    tree = json_tree.parse(body, max_depth)
    fields = tree.fields
    for name in _FORBIDDEN:
        if name in fields:
            raise _wrong(name, fields[name], "not accepted: providers and their keys come from the configuration only")
    stream_options = _typed(fields, "stream_options", dict, "an object") or {}
    return Request(
        dialect="chat",
        model=_model(fields),
        body=body,
        fields=_checked(fields),
        caller=caller,
        stream=_typed(fields, "stream", bool, "true or false") or False,
        wants_usage=stream_options.get("include_usage") is True,
        n=_count(fields),
        unkeyed=tree.unkeyed,
        vary=tuple((name, headers[name]) for name in vary if name in headers),
        directives=read_cache_control(headers.get("cache-control", "")),
        tags=_tags(headers.get(TAGS_HEADER, "")),
        end_user=_end_user(fields),
    )


def question(request: Request) -> str:
    """The text of the last user turn; "" if it has none."""
    for message in reversed(request.fields.get("messages") or ()):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def edits(request: Request) -> tuple[Edit, ...]:
    """What we change on the way up: a stream's usage is asked for, so that the books are metered, not guessed."""
    if not request.stream or request.wants_usage:
        return ()
    options = request.fields.get("stream_options") or {}
    value = canonical.encode({**options, "include_usage": True})
    return (Edit("stream_options", value, "usage asked for, hidden again from the caller", lose="usage"),)


def _model(fields: Mapping[str, Any]) -> str:
    model = _typed(fields, "model", str, "a string")
    if not model or len(model) > 256:
        raise _wrong("model", fields.get("model"), 'the name of a model is needed, such as "gpt-4o-mini"')
    return model


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    messages = _typed(fields, "messages", list, "a list of messages")
    if not messages:
        raise _wrong("messages", messages, "a list with at least one message is needed")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise _wrong(f"messages[{i}]", message, "a message is an object with role and content")
    return fields


def _count(fields: Mapping[str, Any]) -> int:
    n = _typed(fields, "n", int, "a whole number")
    if n is not None and (isinstance(n, bool) or not 1 <= n <= 1024):
        raise _wrong("n", n, "a whole number from 1 on is needed")
    return n or 1


def _end_user(fields: Mapping[str, Any]) -> str:
    user = fields.get("user")
    return user if isinstance(user, str) else ""


def _typed(fields: Mapping[str, Any], name: str, kind: type, words: str) -> Any:
    value = fields.get(name)
    if value is not None and not isinstance(value, kind):
        raise _wrong(name, value, f"it must be {words}")
    return value


def _wrong(name: str, value: object, fix: str) -> RequestError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    return RequestError(f"{name}: {shown} cannot be used; {fix}.", code="invalid_value", param=name)


def _tags(value: str) -> tuple[str, ...]:
    tags = tuple(sorted({tag.strip() for tag in value.split(",")} - {""}))
    if len(tags) > 16 or any(len(tag) > 128 for tag in tags):
        raise RequestError(f"{TAGS_HEADER}: at most 16 tags of 128 characters each.", code="invalid_header")
    return tags


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""
