"""OpenAI chat completions: reads a request and says what a cache needs to know of it.

Only fields that decide who is asked, how the reply travels or whether it may be kept are looked at; a wrong type
there is refused by name. Everything else is the provider's business and passes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pennyworth import canonical
from pennyworth.errors import RequestError
from pennyworth.plan import PLAIN, Quirks
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import edits as splice
from pennyworth.wire import json_tree
from pennyworth.wire.headers import read_cache_control

PATH = "/chat/completions"
_FORBIDDEN = frozenset(("api_base", "base_url", "api_key"))
"""Body fields by which other gateways let a caller choose who is asked (CVE-2024-6587)."""

TAGS_HEADER = "x-pennyworth-tags"
TIMEOUT_HEADERS = ("x-pennyworth-timeout", "x-stainless-read-timeout", "x-stainless-timeout")
"""How long the caller waits, in seconds: ours, and what the official SDKs send of their own accord."""
USER_HEADER = "x-pennyworth-user"
"""Names the end user where the body does not."""

ONCE_HEADER = "idempotency-key"

MOST_CHOICES = 1024
_LONGEST_KEY = 255
_LONGEST_MODEL = 256
_SHOWN = 60
_LONGEST_TIMEOUT_S = 86400.0


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
    if not _FORBIDDEN.isdisjoint(fields):
        raise _forbidden(next(name for name in fields if name in _FORBIDDEN))
    model = fields.get("model")
    if model.__class__ is not str or not 0 < len(model) <= _LONGEST_MODEL or not model.isprintable():
        raise _wrong("model", model, 'the name of a model is needed, such as "gpt-4o-mini"')
    _check_messages(fields.get("messages"))
    stream = fields.get("stream")
    if stream is not None and stream.__class__ is not bool:
        raise _wrong("stream", stream, "true or false is needed")
    options = fields.get("stream_options")
    if options is not None and options.__class__ is not dict:
        raise _wrong("stream_options", options, 'an object is needed, such as {"include_usage": true}')
    n = fields.get("n")
    if n is not None and (n.__class__ is not int or not 1 <= n <= MOST_CHOICES):
        raise _wrong("n", n, f"a whole number from 1 to {MOST_CHOICES} is needed")
    user = fields.get("user")
    once = headers.get(ONCE_HEADER)
    tags = headers.get(TAGS_HEADER)
    return Request(
        dialect="chat",
        model=model,
        body=body,
        fields=fields,
        caller=caller,
        stream=stream is True,
        wants_usage=options is not None and options.get("include_usage") is True,
        n=n or 1,
        unkeyed=tree.unkeyed,
        vary=tuple(sorted([(name, headers[name]) for name in vary if name in headers])),
        directives=read_cache_control(headers.get("cache-control", "")),
        tags=_tags(tags) if tags else (),
        end_user=user if user.__class__ is str and user else headers.get(USER_HEADER, ""),
        once=_once(once) if once is not None else "",
        timeout_s=_timeout_s(headers),
    )


def renamed(request: Request, model: str) -> Request:
    """The same request to another model: what a caller would have sent who asks for it by name."""
    name = Edit("model", canonical.encode(model), "another model is asked")
    body = splice.apply(request.body, (name,), ("model",))
    return msgspec.structs.replace(request, model=model, body=body, fields={**request.fields, "model": model})


def question(request: Request) -> str:
    """The text of the last user turn; "" if it has none."""
    for message in reversed(request.fields.get("messages") or ()):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def edits(request: Request, quirks: Quirks = PLAIN) -> tuple[Edit, ...]:
    """What we change on the way up: a stream's usage is asked for, so that the books are metered, not guessed; and what
    this provider would refuse or not notice is said in its own way."""
    if quirks == PLAIN:
        return _asking_usage(request) if request.stream else ()
    asking = () if "stream_options" in quirks.leave_out or not request.stream else _asking_usage(request)
    return (*asking, *_left_out(request, quirks), *_capped(request, quirks))


def _left_out(request: Request, quirks: Quirks) -> Iterator[Edit]:
    for name in quirks.leave_out:
        if name in request.fields:
            yield Edit(name, b"", "this provider refuses the field")


def _capped(request: Request, quirks: Quirks) -> Iterator[Edit]:
    """The cap under the name that the provider knows. One who says it under both names has his reasons."""
    known = quirks.cap_field
    other = "max_tokens" if known == "max_completion_tokens" else "max_completion_tokens"
    if known and other in request.fields and known not in request.fields:
        yield Edit(known, splice.value_of(request.body, other), f"the name by which this provider knows {other}")
        yield Edit(other, b"", f"said as {known}")


def _asking_usage(request: Request) -> tuple[Edit, ...]:
    if request.wants_usage:
        return ()
    options = request.fields.get("stream_options")
    if not options:
        value = b'{"include_usage":true}'
    elif isinstance(options.get("include_usage"), bool | None):
        value = splice.with_field(splice.value_of(request.body, "stream_options"), "include_usage", b"true")
    else:
        return ()  # of a wrong type: the provider has to say so
    return (Edit("stream_options", value, "usage asked for, hidden again from the caller", lose="usage"),)


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", messages, "a list with at least one message is needed")
    for i, message in enumerate(messages):
        if message.__class__ is not dict:
            raise _wrong(f"messages[{i}]", message, "a message is an object with role and content")


def _forbidden(name: str) -> RequestError:
    return RequestError(  # its value may be a key, which is not said back
        f"{name} is not accepted: providers and their keys come from the configuration only. Leave it out.",
        code="invalid_value",
        param=name,
    )


def _wrong(name: str, value: object, fix: str) -> RequestError:
    said = f"{name} is missing" if value is None else f"{name}: {_shown(value)} cannot be used"
    return RequestError(f"{said}; {fix}.", code="invalid_value", param=name)


def _shown(value: object) -> str:
    """As the caller wrote it, if that is short; bounded work, whatever its size."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return f"an {'object' if isinstance(value, dict) else 'array'} of {len(value)}"
        case str():
            return repr(value[:_SHOWN] + ("…" if len(value) > _SHOWN else ""))
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _tags(value: str) -> tuple[str, ...]:
    tags = tuple(sorted({tag.strip() for tag in value.split(",")} - {""}))
    if len(tags) > 16 or any(len(tag) > 128 for tag in tags):
        raise RequestError(f"{TAGS_HEADER}: at most 16 tags of 128 characters each.", code="invalid_header")
    return tags


def _timeout_s(headers: Mapping[str, str]) -> float:
    """0 where nothing sensible is said: a header that only hints must not fail a request."""
    for name in TIMEOUT_HEADERS:
        if (said := headers.get(name)) is not None:
            try:
                seconds = float(said)
            except ValueError:
                continue
            if 0 < seconds <= _LONGEST_TIMEOUT_S:
                return seconds
    return 0.0


def _once(key: str) -> str:
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        problem = f"{ONCE_HEADER}: one of 1 to {_LONGEST_KEY} characters is needed, such as a random UUID."
        raise RequestError(problem, code="invalid_header")
    return key


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""
