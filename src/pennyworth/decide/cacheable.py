"""May this request be answered from the cache, may its reply be kept, may callers share one flight?

``verdict`` asks the request, before anything is sent; ``keep`` asks the reply. What is refused here is refused because
a kept answer could be wrong, or because somebody said no; the reason is for the receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from pennyworth.decide import beyond, beyond_messages, beyond_responses
from pennyworth.decide.model_names import other_model
from pennyworth.outcome import Outcome
from pennyworth.plan import CacheSpec, Route
from pennyworth.request import Directives, Request

Why = Literal["", "disabled", "unkeyed", "directive", "beyond", "sampled"]
"""What a verdict rests on, for counters: ``sampled`` is what ``/stats`` adds up as the price of not sharing samples."""


class Verdict(msgspec.Struct, frozen=True):
    """``look``: a kept answer may be given. ``keep``: the reply may be kept. ``share``: a flight may be shared."""

    look: bool
    keep: bool
    share: bool
    reason: str
    why: Why = ""


class Keep(msgspec.Struct, frozen=True):
    """Whether a reply is kept, and the reason if not."""

    kept: bool
    reason: str


_YES = Verdict(True, True, True, "may be kept")
_DISABLED = Verdict(False, False, False, "the kill switch is off: a plain proxy", "disabled")
_NO_STORE = Verdict(False, False, False, "Cache-Control: no-store", "directive")
_SEARCHES = "model {} searches by itself"
_KEPT = Keep(True, "kept")
_CALLED = frozenset(("tool_calls", "function_call", "tool_use"))
_BY_DIALECT: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "messages": beyond_messages.in_body,
    "responses": beyond_responses.in_body,
}
"""What else to ask a body in a dialect whose turns are not in ``messages``, or not only."""
_TERMINAL = _CALLED | {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"}
_GOES_ON = frozenset(("pause_turn", "compaction"))
"""Anthropic: good ends of a call, but the provider wants to be asked on."""


def verdict(request: Request, route: Route, enabled: bool, upstream_model: str = "") -> Verdict:
    """What the cache may do with a request.

    ``upstream_model``: the name the target has at its provider, where the caller used an alias: a search model does
    not become cacheable by being called ``assistant``.
    """
    if not enabled:
        return _DISABLED
    if request.unkeyed:
        return Verdict(False, False, False, f"it cannot have a key: {request.unkeyed}", "unkeyed")
    if request.directives.no_store:
        return _NO_STORE
    if reason := _beyond(request, upstream_model):
        return Verdict(False, False, False, reason, "beyond")
    temperature = request.fields.get("temperature")
    if temperature is not None and not route.sampled and (reason := _sampled(temperature)):
        return Verdict(False, False, False, reason, "sampled")
    return _as_directed(request.directives)


def _beyond(request: Request, upstream_model: str) -> str:
    if beyond.searching_model(request.model):
        return _SEARCHES.format(request.model[:80])
    if upstream_model and upstream_model != request.model and beyond.searching_model(upstream_model):
        return _SEARCHES.format(upstream_model[:80])
    fields = request.fields
    if not beyond.TELLING.isdisjoint(fields) and (reason := beyond.in_fields(fields)):
        return reason
    if (of_its_own := _BY_DIALECT.get(request.dialect)) is not None:
        return of_its_own(fields)
    return beyond.in_messages(fields.get("messages"))


def _sampled(temperature: Any) -> str:
    """Only an explicit temperature above 0 says that somebody may be sampling on purpose.

    An explicit ``top_p`` does not: it narrows what the temperature spreads, and at temperature 0 does nothing. Neither
    does ``n`` > 1, which is answered by as many choices, nor ``seed``, which asks for the same again.
    """
    number = isinstance(temperature, int | float)
    if number and temperature <= 0:
        return ""
    shown = temperature if number and temperature < 1000 else f"({type(temperature).__name__})"
    return f"temperature {shown} was asked for explicitly: sampled requests are not kept (route.sampled = false)"


def _as_directed(directives: Directives) -> Verdict:
    """RFC 9111 §5.2.1. A request that wants a fresh answer joins no flight: it began before the wish was spoken (§4
    lets requests collapse only where the stored response could be used without validation)."""
    if directives.only_if_cached:
        look = not (directives.no_cache or directives.max_age_s == 0)
        return Verdict(look, False, False, "Cache-Control: only-if-cached", "directive")
    if directives.no_cache:
        return Verdict(False, True, False, "Cache-Control: no-cache: asked afresh, the reply is kept", "directive")
    if directives.max_age_s is not None and directives.max_age_s <= 0:
        return Verdict(False, True, False, "Cache-Control: max-age=0: asked afresh, the reply is kept", "directive")
    return _YES


def keep(
    request: Request,
    outcome: Outcome,
    verdict: Verdict,
    route: Route,
    spec: CacheSpec,
    *,
    target_is_primary: bool,
    asked: str = "",
) -> Keep:
    """Whether a reply is worth giving again. ``target_is_primary``: it came from the target the key was made for.
    ``asked``: the model by its name there.
    """
    if not verdict.keep:
        return Keep(False, verdict.reason)
    reason = (
        _broken(outcome)
        or ("" if target_is_primary else "a fallback answered: its answer is not kept under the asked model's key")
        or _by_another(asked, outcome.served_by)
        or _ended_badly(request, outcome)
        or _reached_out(outcome, route)
    )
    size = outcome.long or len(outcome.raw)
    if request.dialect == "embeddings":
        size //= request.n  # each vector is kept by itself, and all of one reply are of one size
    if not reason and (outcome.long or size > spec.max_answer_bytes):
        reason = f"{size} bytes, more than cache.max_answer_bytes = {spec.max_answer_bytes}"
    return Keep(False, reason) if reason else _KEPT


def _by_another(asked: str, said: str) -> str:
    """A router or a reseller may answer by what it likes; under the asked model's key that would stay for hours."""
    return f"another model answered: {said[:80]}" if other_model(asked, said) else ""


def _broken(outcome: Outcome) -> str:
    if outcome.status != 200:
        return f"the provider answered {outcome.status}" if outcome.status else "the provider did not answer"
    return f"the reply is not whole: {outcome.fault}" if outcome.fault else ""


def _ended_badly(request: Request, outcome: Outcome) -> str:
    """``[DONE]`` alone proves nothing: every choice that was asked for needs a terminal reason of its own."""
    if outcome.refusal:
        return "the model declined"
    match outcome.ending:
        case "complete" | "tools":
            pass
        case "length":
            return "the reply was cut off at its length limit"
        case "filtered":
            return "the provider's filter stopped the reply"
        case other:
            return f"the reply ended as {other!r}"
    if len(outcome.finishes) != max(request.n, 1):
        return f"{len(outcome.finishes)} choices came, {request.n} were asked for"
    for index, finish in enumerate(outcome.finishes):
        if finish in _GOES_ON:
            return f"the turn is not over: {finish}"
        if finish.lower() not in _TERMINAL:
            return f"choice {index} has no terminal reason we trust ({finish[:40]!r})"
    if outcome.dialect == "embeddings":
        return ""  # its recorder has looked for empty ones
    if not (outcome.tools or outcome.text or (outcome.usage is not None and outcome.usage.output)):
        return "the reply is empty"
    return ""


def _reached_out(outcome: Outcome, route: Route) -> str:
    """The reply itself shows that it rests on more than the request, or makes the caller do something."""
    if outcome.server_tools:
        return "the provider used tools of its own (search, code)"
    if outcome.served_by and beyond.searching_model(outcome.served_by):
        return _SEARCHES.format(outcome.served_by[:80])
    if not outcome.tools:
        called = outcome.ending == "tools" or not _CALLED.isdisjoint(map(str.lower, outcome.finishes))
        return "a tool was called, by no name" if called else ""
    others = sorted(set(outcome.tools) - set(route.tools))
    return f"tool {others[0][:80]} is not among route.tools: its calls are not kept" if others else ""
