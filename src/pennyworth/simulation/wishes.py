"""What clients want: questions that many tenants ask in the same words, with parameters that differ by little."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random
from typing import Any, Literal

import msgspec

from pennyworth.simulation.people import Tenant
from pennyworth.simulation.scene import MODELS

_PARAMETERS: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 0},
    {"temperature": 0.0},
    {"temperature": 0.7},
    {"top_p": 0.9},
    {"seed": 7},
    {"seed": 8},
    {"max_tokens": 6},
    {"max_tokens": 400},
    {"max_tokens": 300, "temperature": 0},
    {"max_tokens": 300, "temperature": 0.7},
    {"max_tokens": 300, "stop": ["\n"]},
    {"n": 2},
    {"stop": ["\n"]},
    {"logit_bias": {"50256": -100}},
    {"response_format": {"type": "json_object"}},
    {"tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}]},
    {"vendor_field": {"deep": [1, 2.0, {"x": None}]}},
    {"service_tier": "default", "metadata": {"team": "a"}},
)
_DIRECTIVES = (*("",) * 30, "no-cache", "no-store", "max-age=100", "max-age=0", "only-if-cached")
_BEFORE: tuple[list[dict[str, str]], ...] = (
    [],
    [],
    [{"role": "system", "content": "Be brief."}],
    [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"}],
)
MOMENT = "right now"
"""A question that says so is never kept, by the lifetimes of the scene."""

_PORTABLE = frozenset(("model", "messages", "max_tokens", "temperature", "stop"))
"""What Messages has words for as well; Responses have no stop words, and no cap below 16."""
_LEAST_CAP = 16

Door = Literal["chat", "messages", "responses"]

_FAMILY = 6
_HERD = 0.5
_LONG = "The following is known. " * 220


class Question(msgspec.Struct, frozen=True):
    """``wordings``: the bodies' fields, one for each way to type it; they share one normal form."""

    number: int
    model: str
    wordings: tuple[dict[str, Any], ...]

    @property
    def doors(self) -> tuple[Door, ...]:
        """The dialects in which it can be asked. Messages has to name a cap."""
        fields = self.wordings[0]
        if "max_tokens" not in fields or not _PORTABLE.issuperset(fields):
            return ("chat",)
        if "stop" in fields or fields["max_tokens"] < _LEAST_CAP:
            return ("chat", "messages")
        return ("chat", "messages", "responses")

    @property
    def sampled(self) -> bool:
        return bool(self.wordings[0].get("temperature"))


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One request to be sent, and how its client behaves.

    Attributes:
        door: the dialect it is asked in. ``wording``: which of the question's. ``tag``: on its receipt, where it is not "".
        leaves_after_s: the client goes so long after sending; negative = it waits for the end.
        slow: it does not read for a while now and then. ``half``: it goes before its body is out.
    """

    number: int
    tenant: Tenant
    question: Question
    door: Door
    wording: int
    stream: bool
    wants_usage: bool
    directive: str
    tag: str
    leaves_after_s: float
    slow: bool
    half: bool
    body: bytes


def questions(chance: Random, number: int) -> list[Question]:
    """In families, whose members differ in nothing but their parameters."""
    found: list[Question] = []
    while len(found) < number:
        family = _Family(chance, len(found))
        found += [family.question(len(found) + i) for i in range(_FAMILY)]
    return found


class _Family:
    def __init__(self, chance: Random, topic: int) -> None:
        self.model = chance.choice(MODELS)
        self.before = chance.choice(_BEFORE)
        self.text = f"What is the colour of thing {topic}?"
        drawn = chance.random()
        if drawn < 0.05:
            self.text = f"What is the price of thing {topic} {MOMENT}?"
        elif drawn < 0.1:
            self.text = _LONG + self.text
        self.parameters = list(_PARAMETERS)
        chance.shuffle(self.parameters)

    def question(self, number: int) -> Question:
        fields = {"model": self.model, **self.parameters.pop()}
        text = self.text
        typed = [text, text.replace(" ", "  ", 1), text.replace(" ", "\u00a0", 1)]
        messages = [[*self.before, {"role": "user", "content": said}] for said in typed]
        return Question(number, self.model, tuple({**fields, "messages": said} for said in messages))


class Wishes:
    """An endless row of wishes, by seed. ``wish`` makes the next one."""

    def __init__(
        self, chance: Random, tenants: list[Tenant], asked: list[Question], busy: float, before: int = 0
    ) -> None:
        """``busy``: how often clients leave, dawdle or go half-way. ``before``: so many wishes were made by others."""
        self._chance = chance
        self._tenants = tenants
        self._questions = asked
        self._busy = busy
        self._number = before
        self._asked: tuple[Tenant, Question] | None = None
        self._body = lru_cache(4000)(self._written)

    def wish(self) -> Wish:
        chance, busy = self._chance, self._busy
        draw = chance.random
        self._number += 1
        if draw() < _HERD and self._asked is not None:
            tenant, question = self._asked  # what somebody has just asked: flights have followers
        else:
            question = self._questions[int(len(self._questions) * draw() ** 3)]
            tenant = chance.choice(self._tenants)
        self._asked = tenant, question
        wording = 0 if draw() < 0.85 else chance.randrange(len(question.wordings))
        door = chance.choice(question.doors)
        stream = draw() < 0.45
        wants_usage = stream and (door != "chat" or draw() < 0.4)
        half = draw() < busy * 0.1
        return Wish(
            number=self._number,
            tenant=tenant,
            question=question,
            door=door,
            wording=wording,
            stream=stream,
            wants_usage=wants_usage,
            directive=chance.choice(_DIRECTIVES),
            tag=f"n{self._number}" if half or draw() < 0.5 else "",
            leaves_after_s=draw() ** 3 * 0.5 if draw() < busy * 0.5 else -1.0,
            slow=draw() < busy * 0.3,
            half=half,
            body=self._body(tenant, question.number, door, wording, stream, wants_usage, chance.randrange(3)),
        )

    def _written(
        self, tenant: Tenant, question: int, door: Door, wording: int, stream: bool, wants_usage: bool, style: int
    ) -> bytes:
        """One question in one of the ways in which libraries write JSON."""
        fields = self._questions[question].wordings[wording]
        fields = _WRITTEN[door](fields, tenant.name)
        if stream:
            fields["stream"] = True
        if wants_usage and door == "chat":
            fields["stream_options"] = {"include_usage": True}
        match style:
            case 0:
                return msgspec.json.encode(fields)
            case 1:
                return json.dumps(fields).encode()
            case _:
                return json.dumps(dict(reversed(fields.items())), indent=1, ensure_ascii=False).encode()


def in_messages(fields: dict[str, Any], tenant: str) -> dict[str, Any]:
    """A portable question as Anthropic Messages asks it."""
    turns = fields["messages"]
    said = {name: value for name, value in fields.items() if name not in ("messages", "stop")}
    if turns[0]["role"] == "system":
        said["system"], turns = turns[0]["content"], turns[1:]
    if "stop" in fields:
        said["stop_sequences"] = fields["stop"]
    return {**said, "messages": turns, "metadata": {"user_id": tenant}}


def in_responses(fields: dict[str, Any], tenant: str) -> dict[str, Any]:
    """A portable question as OpenAI Responses ask it."""
    turns = fields["messages"]
    said = {name: value for name, value in fields.items() if name not in ("messages", "max_tokens")}
    if turns[0]["role"] == "system":
        said["instructions"], turns = turns[0]["content"], turns[1:]
    return {**said, "input": turns, "max_output_tokens": fields["max_tokens"], "store": False, "user": tenant}


def _in_chat(fields: dict[str, Any], tenant: str) -> dict[str, Any]:
    return {**fields, "user": tenant}


_WRITTEN: Mapping[Door, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "chat": _in_chat,
    "messages": in_messages,
    "responses": in_responses,
}
