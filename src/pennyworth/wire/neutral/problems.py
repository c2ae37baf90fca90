"""An error as a provider's body says it, and back: OpenAI's and Anthropic's differ by a frame only, others by less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.wire.members import put, taken, with_extra
from pennyworth.wire.neutral.nouns import Node

_PLACES = ("error", "detail", "message")
"""Members that are an error's text by themselves: Ollama's, FastAPI's (Voyage), Cohere's."""


class Problem(Node, frozen=True, kw_only=True):
    """``kind``: its ``type``. ``code``, ``param``: what is wrong where, as OpenAI tells it."""

    message: str
    kind: str | None = None
    code: str | None = None
    param: str | None = None


def problem_of(body: Any) -> Problem | None:
    """The error; ``None`` where there is none to be seen."""
    if body.__class__ is list and len(body) == 1 and (inner := problem_of(body[0])) is not None:  # Gemini
        return Problem(**{**_members(inner), "spelled": (*inner.spelled, "in a list")})
    if body.__class__ is not dict:
        return None
    rest = dict(body)
    error = taken(rest, "error", dict)
    if error is None:
        return _plain(rest)
    left = dict(error)
    message = taken(left, "message", str)
    if message is None:
        return None
    kind, code, param = (taken(left, name, str) for name in ("type", "code", "param"))
    return Problem(message=message, kind=kind, code=code, param=param, extra={**rest, "error": left} if left else rest)


def body_of_problem(problem: Problem) -> Any:
    """The body it was read from."""
    place = next((name for name in _PLACES if name in problem.spelled), "")
    if place:
        out: dict[str, Any] = {place: problem.message}
    else:
        members = (("type", problem.kind), ("code", problem.code), ("param", problem.param))
        out = {"error": put({"message": problem.message}, members)}
    out = with_extra(out, problem.extra)
    return [out] if "in a list" in problem.spelled else out


def _plain(rest: dict[str, Any]) -> Problem | None:
    for place in _PLACES:
        message = taken(rest, place, str)
        if message is not None:
            return Problem(message=message, extra=rest, spelled=(place,))
    return None


def _members(problem: Problem) -> Mapping[str, Any]:
    return {name: getattr(problem, name) for name in problem.__struct_fields__}
