"""A second opinion on a reply: its tokens and its ending, by the plainest reading of its JSON.

It shares no code with ``wire``, so that a mistake there is not made here too. Written for recordings that are in order,
it trusts what it reads.
"""

from __future__ import annotations

import json
from typing import Any

from pennyworth.money import Usage
from pennyworth.request import Dialect

_GOOD = frozenset(("stop", "end_turn", "stop_sequence", "eos"))


def said_in(raw: bytes, *, streamed: bool) -> list[dict[str, Any]]:
    """A reply's JSON: its body, or the data of its events."""
    if not streamed:
        return [found] if (found := json_object(raw)) else []
    lines = [line[5:].strip() for line in raw.decode("utf-8", "replace").split("\n") if line.startswith("data:")]
    return [found for line in lines if (found := json_object(line.encode()))]


def json_object(raw: bytes) -> dict[str, Any]:
    """Empty where it is none."""
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def usage_of(dialect: Dialect, said: list[dict[str, Any]]) -> Usage | None:
    """The tokens; ``None`` where the reply does not tell."""
    match dialect:
        case "messages":
            return _messages_usage(said)
        case "responses":
            found = [usage for one in said if (usage := (one.get("response") or one).get("usage"))]
            return _responses_usage(found[-1]) if found else None
        case "embeddings":
            told: dict[str, int] = (said[0].get("usage") if said else None) or {}
            tokens = told.get("prompt_tokens") or told.get("total_tokens")
            return Usage(input=tokens) if tokens else None
    found = [usage for one in said if (usage := one.get("usage") or (one.get("x_groq") or {}).get("usage"))]
    return _openai_usage(found[-1]) if found else None


def ended_well(dialect: Dialect, said: list[dict[str, Any]]) -> bool:
    """Every choice has said its last word, and it was a good one: nothing cut off, filtered, refused or still to do."""
    match dialect:
        case "messages":
            return _stop_of(said) in _GOOD and (len(said) == 1 or said[-1].get("type") in ("message_stop", "ping"))
        case "responses":
            final = next((one["response"] for one in reversed(said) if "response" in one), said[-1] if said else {})
            return final.get("status") == "completed" and final.get("error") is None
        case "embeddings":
            return bool(said) and bool(said[0].get("data"))
    finishes = _finishes(said)
    return bool(finishes) and all(str(reason).lower() in _GOOD for reason in finishes.values())


def finished(dialect: Dialect, said: list[dict[str, Any]]) -> bool:
    """The reply has said its end, whatever it was. Of a chat stream: every choice that ever spoke."""
    match dialect:
        case "messages":
            return any(one.get("type") == "message_stop" or one.get("stop_reason") for one in said)
        case "responses":
            states = [(one.get("response") or one).get("status") for one in said]
            return any(state in ("completed", "incomplete", "failed") for state in states)
        case "embeddings":
            return bool(said)
    finishes = _finishes(said)
    return bool(finishes) and all(finishes.values())


def choices(said: list[dict[str, Any]]) -> int:
    return len(_finishes(said))


def _finishes(said: list[dict[str, Any]]) -> dict[int, str | None]:
    found: dict[int, str | None] = {}
    for chunk in said:
        for choice in chunk.get("choices") or ():
            index = choice.get("index") or 0
            found[index] = choice.get("finish_reason") or found.get(index)
    return found


def _stop_of(said: list[dict[str, Any]]) -> str | None:
    told = [(one.get("delta") or one).get("stop_reason") for one in said]
    return next((reason for reason in reversed(told) if reason), None)


def _openai_usage(usage: dict[str, Any]) -> Usage:
    """Some count reasoning, or what came from the cache, apart; the total tells (xAI, Gemini)."""
    into, out = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    details, other = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
    written = details.get("cache_write_tokens") or 0
    gap = max((usage.get("total_tokens") or 0) - into - out, 0)
    apart = bool(gap) and gap == cached + written
    return Usage(
        input=into + gap if apart else into,
        output=out if apart else out + gap,
        cached=cached,
        cache_write=written,
        reasoning=other.get("reasoning_tokens") or 0,
        input_audio=details.get("audio_tokens") or 0,
        output_audio=other.get("audio_tokens") or 0,
    )


def _messages_usage(said: list[dict[str, Any]]) -> Usage | None:
    """Counts are running totals: the last of each holds. What the cache did is counted apart from the input."""
    counts: dict[str, Any] = {}
    for one in said:
        told = one.get("usage") or (one.get("message") or {}).get("usage") or {}
        counts.update({name: count for name, count in told.items() if count is not None})
    if not counts:
        return None
    read, written = counts.get("cache_read_input_tokens") or 0, counts.get("cache_creation_input_tokens") or 0
    return Usage(
        input=(counts.get("input_tokens") or 0) + read + written,
        output=counts.get("output_tokens") or 0,
        cached=read,
        cache_write=written,
        cache_write_1h=(counts.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0,
        reasoning=(counts.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
    )


def _responses_usage(usage: dict[str, Any]) -> Usage:
    into, out = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return Usage(
        input=usage.get("input_tokens") or 0,
        output=usage.get("output_tokens") or 0,
        cached=into.get("cached_tokens") or 0,
        cache_write=into.get("cache_write_tokens") or 0,
        reasoning=out.get("reasoning_tokens") or 0,
    )
