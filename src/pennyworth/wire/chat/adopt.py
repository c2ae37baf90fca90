"""Chat completions: prompts and completions of other dialects, as this one can say them."""

from __future__ import annotations

import msgspec

from pennyworth.wire.losses import Losses
from pennyworth.wire.neutral.nouns import Document, Image, Part, Prompt, Shape, Thinking, ToolResult, Turn
from pennyworth.wire.neutral.replies import Answer, Completion, Tokens
from pennyworth.wire.neutral.turns import check_names, check_order, gathered, joined, plain, sayable, with_its_own

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
LABEL = "answer"
"""What a schema is called that came without a name; here it must have one."""


def adopt(prompt: Prompt, losses: Losses) -> Prompt:
    """Raises ``RequestError``: something has no words here and may not be dropped."""
    turns = gathered(prompt.turns) if prompt.dialect == "responses" else prompt.turns
    check_names(turns, losses)
    effort = prompt.effort
    if effort is not None and effort not in _EFFORTS:
        losses.noun("effort", effort)
        effort = None
    said = [_turn(turn, losses) for turn in turns]
    return msgspec.structs.replace(
        prompt,
        dialect="chat",
        turns=tuple(
            [turn for turn in said if turn.parts or turn.role != "assistant"]
        ),  # one of nothing is refused there
        shape=prompt.shape and named(prompt.shape, prompt),
        effort=effort,
    )


def adopt_reply(completion: Completion) -> Completion:
    """Raises ``CannotSayError``. What stands beside what was said (citations, times) is left out."""
    return msgspec.structs.replace(
        completion,
        dialect="chat",
        created=completion.created or 0,
        answers=tuple([_answer(answer) for answer in completion.answers]),
        tokens=completion.tokens and _tokens(completion.tokens),
        extra={},
    )


def named(shape: Shape, prompt: Prompt) -> Shape:
    """A schema with what OpenAI asks for besides. Anthropic keeps to every schema, as here only a strict one is kept to."""
    if shape.kind != "schema" or shape.name is not None:
        return shape
    strict = True if prompt.dialect == "messages" else shape.strict
    return msgspec.structs.replace(shape, name=LABEL, strict=strict)


def _turn(turn: Turn, losses: Losses) -> Turn:
    turn = with_its_own(turn, losses)
    if turn.role == "assistant":
        check_order(turn, losses)
        parts: list[Part] = [part for part in turn.parts if not _is_empty(part)]
        return turn if len(parts) == len(turn.parts) else msgspec.structs.replace(turn, parts=tuple(parts))
    parts = []
    for part in turn.parts:
        match part:
            case ToolResult():
                parts.append(_result(part, losses))
            case Document() if part.url:
                losses.cannot(f"{part.at}.document", part.url, "a file is sent with the request there")
            case _:
                parts.append(part)
    return msgspec.structs.replace(turn, parts=tuple(parts))


def _result(result: ToolResult, losses: Losses) -> ToolResult:
    if result.is_error:
        losses.cannot(f"{result.at}.is_error", True, "a tool's result is text alone there")
    kept = []
    for part in result.parts:
        if isinstance(part, Image | Document):
            losses.cannot(
                f"{part.at}.{part.__class__.__name__.lower()}",
                part.url or part.media_type,
                "a tool's result is text there",
            )
        else:
            kept.append(part)
    return msgspec.structs.replace(result, parts=tuple(kept), is_error=None)


def _answer(answer: Answer) -> Answer:
    kept = [part for part in sayable(answer) if not _is_empty(part)]
    bare: list[Part] = [plain(part) for part in joined(kept)]
    return Answer(turns=(Turn(role="assistant", parts=tuple(bare)),), index=answer.index, stop=answer.stop)


def _is_empty(part: Part) -> bool:
    """A bare item of thoughts says nothing to anybody."""
    return isinstance(part, Thinking) and "empty" in part.spelled


def _tokens(tokens: Tokens) -> Tokens:
    return Tokens(
        input=tokens.input,
        output=tokens.output,
        total=tokens.input + tokens.output,
        cached=tokens.cached or 0,
        cache_write=tokens.cache_write or 0,
        reasoning=tokens.reasoning or 0,
    )
