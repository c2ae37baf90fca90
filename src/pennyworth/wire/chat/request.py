"""OpenAI chat completions: reads a request and says what a cache needs to know of it.

Only fields that decide who is asked, how the reply travels or whether it may be kept are looked at; a wrong type
there is refused by name. Everything else is the provider's business and passes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pennyworth.plan import PLAIN, Quirks
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import edits as splice
from pennyworth.wire import json_tree
from pennyworth.wire.asking import end_user, read_asking
from pennyworth.wire.fields import messages_in, model_in, refuse_forbidden, switch_in, wrong

PATH = "/chat/completions"

MOST_CHOICES = 1024


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
    refuse_forbidden(fields)
    model = model_in(fields, "gpt-4o-mini")
    messages_in(fields)
    stream = switch_in(fields, "stream")
    options = fields.get("stream_options")
    if options is not None and options.__class__ is not dict:
        raise wrong("stream_options", options, 'an object is needed, such as {"include_usage": true}')
    n = fields.get("n")
    if n is not None and (n.__class__ is not int or not 1 <= n <= MOST_CHOICES):
        raise wrong("n", n, f"a whole number from 1 to {MOST_CHOICES} is needed")
    asking = read_asking(headers, vary)
    return Request(
        dialect="chat",
        model=model,
        body=body,
        fields=fields,
        caller=caller,
        stream=stream,
        wants_usage=options is not None and options.get("include_usage") is True,
        n=n or 1,
        unkeyed=tree.unkeyed,
        vary=asking.vary,
        directives=asking.directives,
        tags=asking.tags,
        end_user=end_user(fields.get("user"), headers),
        once=asking.once,
        timeout_s=asking.timeout_s,
    )


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


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""
