"""Anthropic Messages: reads a request and says what a cache needs to know of it.

As in ``wire.chat.request``, only what decides who is asked, how the reply travels or whether it may be kept is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pennyworth.plan import PLAIN, Quirks
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import json_tree
from pennyworth.wire.asking import end_user, read_asking
from pennyworth.wire.fields import messages_in, model_in, refuse_forbidden, switch_in, wrong

PATH = "/messages"


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
    model = model_in(fields, "claude-sonnet-5")
    messages_in(fields)
    _check_cap(fields.get("max_tokens"))
    metadata = fields.get("metadata")
    asking = read_asking(headers, vary)
    return Request(
        dialect="messages",
        model=model,
        body=body,
        fields=fields,
        caller=caller,
        stream=switch_in(fields, "stream"),
        wants_usage=True,
        unkeyed=tree.unkeyed,
        vary=asking.vary,
        directives=asking.directives,
        tags=asking.tags,
        end_user=end_user(metadata.get("user_id") if metadata.__class__ is dict else None, headers),
        once=asking.once,
        timeout_s=asking.timeout_s,
    )


def question(request: Request) -> str:
    """The text of the last user turn; "" if it has none. What only hands in the results of tools is no turn of his."""
    for message in reversed(request.fields.get("messages") or ()):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            if isinstance(content, list) and not all(map(_is_result, content)):
                texts = (part.get("text") for part in content if isinstance(part, dict))
                return "\n".join(text for text in texts if isinstance(text, str))
    return ""


def edits(request: Request, quirks: Quirks = PLAIN) -> tuple[Edit, ...]:
    """Nothing, but for fields that this provider would refuse: usage comes unasked, and the cap has one name."""
    return tuple(
        Edit(name, b"", "this provider refuses the field") for name in quirks.leave_out if name in request.fields
    )


def _check_cap(cap: object) -> None:
    if cap is not None and not (isinstance(cap, int) and cap.__class__ is int and cap >= 1):
        raise wrong("max_tokens", cap, "a whole number of at least 1 is needed")


def _is_result(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "tool_result"
