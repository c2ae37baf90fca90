"""OpenAI Responses: reads a request and says what a cache needs to know of it.

As in ``wire.chat.request``: only what decides who is asked, how the reply travels or whether it may be kept is looked
at; a wrong type there is refused by name. Everything else is the provider's business and passes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth.plan import PLAIN, Quirks
from pennyworth.request import Caller, Edit, Request
from pennyworth.wire import json_tree
from pennyworth.wire.asking import end_user, read_asking
from pennyworth.wire.fields import model_in, refuse_forbidden, switch_in, wrong

PATH = "/responses"

_ELSEWHERE = frozenset(("prompt", "previous_response_id", "conversation"))
"""Fields that name a prompt the provider has already, so that no other needs to come."""


def read_request(
    body: bytes, headers: Mapping[str, str], caller: Caller, *, vary: Iterable[str] = (), max_depth: int = 128
) -> Request:
    """The request in these bytes. A reply has one answer, and always says its usage.

    Args:
        headers: lower-cased names.
        vary: names of headers that change answers.

    Raises:
        RequestError: malformed, ambiguous, or a field we act on has the wrong type.
    """
    tree = json_tree.parse(body, max_depth)
    fields = tree.fields
    refuse_forbidden(fields)
    model = model_in(fields, "gpt-5-mini")
    _check_input(fields)
    stream = switch_in(fields, "stream")
    asking = read_asking(headers, vary)
    return Request(
        dialect="responses",
        model=model,
        body=body,
        fields=fields,
        caller=caller,
        stream=stream,
        wants_usage=True,
        unkeyed=tree.unkeyed,
        vary=asking.vary,
        directives=asking.directives,
        tags=asking.tags,
        end_user=end_user(fields.get("user") or fields.get("safety_identifier"), headers),
        once=asking.once,
        timeout_s=asking.timeout_s,
    )


def question(request: Request) -> str:
    """The text of the last user input; "" if it has none."""
    said = request.fields.get("input")
    if isinstance(said, str):
        return said
    for item in reversed(said or ()):
        if isinstance(item, dict) and item.get("role") == "user":
            return _text(item.get("content"))
    return ""


def edits(request: Request, quirks: Quirks = PLAIN) -> tuple[Edit, ...]:
    """Nothing: usage comes unasked, and quirks are those of a provider's chat completions."""
    return ()


def _check_input(fields: Mapping[str, Any]) -> None:
    said = fields.get("input")
    if isinstance(said, str):
        return
    if not said and (said is None or said.__class__ is list) and not _ELSEWHERE.isdisjoint(fields):
        return
    if not isinstance(said, list) or not said:
        raise wrong("input", said, "a text, or a list with at least one item, is needed")
    for i, item in enumerate(said):
        if item.__class__ is not dict:
            raise wrong(f"input[{i}]", item, "an item is an object, such as a message with role and content")


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""
