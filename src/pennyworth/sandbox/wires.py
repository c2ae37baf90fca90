"""The dialects the sandbox speaks, each by the same few functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

import pennyworth.sandbox.ask as chat_ask
import pennyworth.sandbox.chat as chat
import pennyworth.sandbox.embeddings as embeddings
import pennyworth.sandbox.messages as messages
import pennyworth.sandbox.messages_ask as messages_ask
import pennyworth.sandbox.responses as responses
import pennyworth.sandbox.responses_ask as responses_ask
from pennyworth.sandbox.answer import Answer
from pennyworth.sandbox.ask import Ask, RefusedError
from pennyworth.sandbox.bill import Tokens
from pennyworth.sandbox.chat import Events, Head
from pennyworth.sandbox.manners import ANTHROPIC, OPENAI, Manner
from pennyworth.sandbox.messages_prompts import blocks_of
from pennyworth.sandbox.tokens import input_tokens, prompt_tokens


class Reply(NamedTuple):
    """An answer in a dialect, in the form asked for. ``kept``: what the provider remembers of it, if it is to."""

    json: bytes = b""
    events: Events | None = None
    kept: dict[str, Any] | None = None


class Wire(NamedTuple):
    """A dialect.

    Attributes:
        name: begins the id of a reply. ``read``: the request in a body, or ``RefusedError``.
        unknown: the refusal of a model that does not exist. ``tokens``: of the prompt.
        write: the reply; its usage is ``None`` where a fault withholds it.
        remembers: a request may go on from a reply the provider has stored.
        manner: what the provider shows beside the body. ``caches``: it has a prompt cache. ``marked``: which goes by the
            marks in a prompt.
    """

    name: str
    read: Callable[[bytes], Ask]
    unknown: Callable[[str], RefusedError]
    tokens: Callable[[Ask], list[str]]
    write: Callable[[Head, Ask, Answer, Tokens | None], Reply]
    remembers: bool = False
    manner: Manner = OPENAI
    caches: bool = True
    marked: bool = False


def _chat_reply(head: Head, ask: Ask, answer: Answer, usage: Tokens | None) -> Reply:
    if not ask.stream:
        return Reply(json=chat.as_json(head, answer, usage))
    writer = chat.EventWriter(head, wants_usage=ask.wants_usage, padded=ask.padded)
    return Reply(events=writer.events(answer, usage or Tokens()))


def _response(head: Head, ask: Ask, answer: Answer, usage: Tokens | None) -> Reply:
    whole = responses.response(head, ask, answer, usage)
    kept = whole if responses_ask.stored(ask.fields) else None
    if ask.stream:
        return Reply(events=responses.events(head, ask, answer, whole), kept=kept)
    shown = responses.queued(whole) if ask.fields.get("background") else whole
    return Reply(json=msgspec.json.encode(shown), kept=kept)


def _message(head: Head, ask: Ask, answer: Answer, usage: Tokens | None) -> Reply:
    if ask.stream:
        return Reply(events=messages.events(head, answer, usage or Tokens()))
    return Reply(json=messages.as_json(head, answer, usage))


def _vectors(head: Head, ask: Ask, answer: Answer, usage: Tokens | None) -> Reply:
    return Reply(json=embeddings.as_json(head, ask, usage))


CHAT = Wire("chatcmpl-", chat_ask.read_ask, chat_ask.unknown_model, lambda ask: prompt_tokens(ask.fields), _chat_reply)
RESPONSES = Wire(
    "resp_",
    responses_ask.read_ask,
    responses_ask.unknown_model,
    lambda ask: input_tokens(ask.fields, ask.earlier),
    _response,
    remembers=True,
)

MESSAGES = Wire(
    "msg_",
    messages_ask.read_ask,
    messages_ask.unknown_model,
    lambda ask: [token for block in blocks_of(ask.fields) for token in block.tokens],
    _message,
    manner=ANTHROPIC,
    marked=True,
)

EMBEDDINGS = Wire("emb_", embeddings.read_ask, chat_ask.unknown_model, embeddings.prompt_tokens, _vectors, caches=False)

WIRES: Mapping[str, Wire] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v1/embeddings": EMBEDDINGS,
}
"""By the path that is asked."""
