"""Anthropic messages: prompts and completions of other dialects, as this one can say them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from pennyworth.wire.losses import CannotSayError, Losses
from pennyworth.wire.messages.blocks import MAKER
from pennyworth.wire.neutral.meaning import arguments_of
from pennyworth.wire.neutral.nouns import (
    Document,
    Image,
    Part,
    Prompt,
    Shape,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from pennyworth.wire.neutral.replies import Answer, Completion, Tokens
from pennyworth.wire.neutral.turns import check_names, gathered, only, sayable, with_results_together

_EFFORTS = ("none", "low", "medium", "high", "xhigh", "max")

_CAPS = (
    ("claude-3-5-", 8_192),
    ("claude-3-7-", 64_000),
    ("claude-3-", 4_096),
    ("claude-opus-4-0", 32_000),
    ("claude-opus-4-1", 32_000),
    ("claude-opus-4-20250514", 32_000),
    ("claude-", 64_000),
)
_CAP = 32_000
"""Of a model not known here."""


def longest_answer(model: str | None) -> int:
    """The cap for a request that names none, since there must be one: the longest answer the model can give.

    A smaller one (LiteLLM's 4,096) would cut answers that nobody asked to be cut. By Anthropic's model overview,
    https://docs.claude.com/en/docs/about-claude/models/overview; a later model gives no shorter answers than the last.
    """
    name = (model or "").replace(".", "-")
    return next((cap for part, cap in _CAPS if part in name), _CAP)


def adopt(prompt: Prompt, losses: Losses) -> Prompt:
    """Raises ``RequestError``: something has no words here and may not be dropped.

    A system turn in the middle stays where it is: Claude Opus 4.8 and later take it, an earlier model says that it does not
    (https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages).
    """
    check_names(prompt.turns, losses)
    turns = gathered(prompt.turns) if prompt.dialect == "responses" else prompt.turns
    temperature, effort = prompt.temperature, prompt.effort
    if temperature is not None and temperature > 1:
        losses.noun("temperature", temperature, "it goes from 0 to 1 there")
        temperature = None
    if effort is not None and effort not in _EFFORTS:
        losses.noun("effort", effort)
        effort = None
    if prompt.verbosity not in (None, "medium"):
        losses.noun("verbosity", prompt.verbosity)
    return msgspec.structs.replace(
        prompt,
        dialect="messages",
        turns=with_results_together(_saying([_turn(turn, losses) for turn in turns])),
        shape=prompt.shape and _shape(prompt.shape, losses),
        temperature=temperature,
        effort=effort,
        cap=longest_answer(prompt.model) if prompt.cap is None else prompt.cap,
    )


def adopt_reply(completion: Completion) -> Completion:
    """Raises ``CannotSayError``. What stands beside what was said (citations, times) is left out."""
    answer = only(completion)
    parts = [_said(part) for part in sayable(answer)]
    refused = any(turn_part.__class__.__name__ == "Refusal" for turn_part in parts)
    stop = "filtered" if refused and answer.stop == "stop" else answer.stop
    turn = Turn(role="assistant", parts=tuple([part for part in parts if part is not None]))
    spelled = ("stop_sequence",) if answer.stopped_at else ()
    answers = (Answer(turns=(turn,), stop=stop, stopped_at=answer.stopped_at, spelled=spelled),)
    # Anthropic's SDK reads the counts without asking whether they are there.
    tokens = _tokens(completion.tokens) if completion.tokens else Tokens(input=0, output=0)
    return msgspec.structs.replace(
        completion, dialect="messages", answers=answers, tokens=tokens, extra={"stop_sequence": answer.stopped_at}
    )


def _saying(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Without an assistant's turns that say nothing, and empty texts beside what is said: there, neither may be sent."""
    for turn in turns:
        parts = tuple([part for part in turn.parts if not (isinstance(part, Text) and not part.text)])
        if turn.role != "assistant" or len(parts) == len(turn.parts) > 0:
            yield turn
        elif turn.parts:
            yield msgspec.structs.replace(turn, parts=parts) if parts else turn


def _turn(turn: Turn, losses: Losses) -> Turn:
    parts = [_part(part, losses) for part in turn.parts]
    return msgspec.structs.replace(turn, parts=tuple([part for part in parts if part is not None]))


def _part(part: Part, losses: Losses) -> Part | None:
    match part:
        case Thinking():
            return _thought(part, losses)
        case ToolCall():
            return _call(part, losses)
        case Image():
            return _image(part, losses)
        case Document():
            return _document(part, losses)
        case ToolResult():
            inner = [_part(one, losses) for one in part.parts]
            return msgspec.structs.replace(part, parts=tuple([one for one in inner if one is not None]))
    return part


def _thought(thought: Thinking, losses: Losses) -> Thinking | None:
    """Only thoughts that Anthropic signed or sealed may be sent back to it."""
    if thought.maker in (None, MAKER) and (thought.signature or thought.sealed is not None):
        return thought
    if "empty" not in thought.spelled:
        losses.thought(thought.at, thought.text, "it is not signed by that provider")
    return None


def _has_object(call: ToolCall) -> bool:
    try:
        return isinstance(arguments_of(call), dict)
    except (ValueError, RecursionError):
        return False


def _call(call: ToolCall, losses: Losses) -> ToolCall | None:
    if _has_object(call):
        return call
    losses.cannot(f"{call.at}.function.arguments", call.arguments, "they must be a JSON object there")
    return None


def _image(image: Image, losses: Losses) -> Image | None:
    if image.detail not in (None, "auto"):
        losses.cannot(f"{image.at}.image_url.detail", image.detail)
    if image.data or image.url.startswith(("https://", "http://")):
        return image
    losses.cannot(f"{image.at}.image_url", image.url, "an image is base64 or an http address there")
    return None


def _document(document: Document, losses: Losses) -> Document | None:
    if document.url or document.media_type == "application/pdf":
        return document
    losses.cannot(f"{document.at}.file", document.media_type, "a file is a PDF there")
    return None


def _shape(shape: Shape, losses: Losses) -> Shape | None:
    """Its name is a label that only OpenAI asks for."""
    if shape.kind == "json":
        losses.noun("shape", "json_object", "there, JSON needs a schema")
        return None
    if shape.description is not None:
        losses.noun("shape", shape.description, "a schema is described within itself there")
    return shape


def _said(part: Part) -> Part | None:
    """A part of a reply. A thought of another maker is shown unsigned, which is no use but to be read."""
    if isinstance(part, Thinking):
        if "empty" in part.spelled:
            return None
        return msgspec.structs.replace(part, signature=part.signature or "", extra={}, spelled=())
    if isinstance(part, ToolCall) and not _has_object(part):
        raise CannotSayError("a call whose arguments are no JSON object")
    return msgspec.structs.replace(part, extra={}, spelled=())


def _tokens(tokens: Tokens) -> Tokens:
    return Tokens(
        input=tokens.input,
        output=tokens.output,
        cached=tokens.cached or 0,
        cache_write=tokens.cache_write or 0,
        reasoning=tokens.reasoning or None,
    )
