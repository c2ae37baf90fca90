"""What goes wrong, when: rules that choose a fault for a request, and a script that applies them.

Chance is keyed by the request's content and how often it came, so a run with the same seed and requests has the same
faults however its requests overlap.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from pennyworth.sandbox.chance import draw

Kind = Literal[
    "status",
    "reset",
    "hang",
    "stall",
    "cut",
    "body_cut",
    "done_without_finish",
    "no_done",
    "malformed",
    "error_event",
    "length",
    "content_filter",
    "refusal",
    "tool_calls",
    "drip",
    "huge",
    "endless",
    "gzip",
]
KINDS: frozenset[str] = frozenset(get_args(Kind))

UNBILLED: frozenset[str] = frozenset(
    {"status", "reset", "hang", "stall", "cut", "body_cut", "done_without_finish", "malformed", "error_event"}
)
"""Kinds by which the provider breaks its own reply, and so does not charge for it."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fault, which requests it befalls, and its particulars. A rule without conditions befalls every request.

    Conditions, all of which must hold:
        model: a pattern as in ``gpt-4*``. ``stream``: only streams, or only JSON. ``marker``: text in the body.
        every: every nth of the requests that meet the conditions above. ``times``: at most so often.
        probability: drawn by seed, rule, request content and how often that content was asked.

    Particulars:
        status: for ``status``. ``retry_after``: the header's value; ``date+5`` becomes an HTTP date 5 s from now.
        after: events before a ``stall``, ``cut``, ``malformed`` or ``error_event``.
        at_byte: for ``cut`` and ``body_cut``, body bytes that still go out; -1 = by ``after``, or half of a JSON body.
        abort: break the connection by a TCP reset instead of an orderly close.
        size: characters of a ``huge`` (or ``gzip``) answer; 0 = a million (as long as usual).
        pause_s: between two bytes of a ``drip``.
    """

    kind: Kind
    model: str = ""
    stream: bool | None = None
    marker: str = ""
    every: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=0)] = 0
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    retry_after: Annotated[str, Meta(pattern=r"^[ -~]*$")] = ""
    after: Annotated[int, Meta(ge=0)] = 3
    at_byte: Annotated[int, Meta(ge=-1)] = -1
    abort: bool = False
    size: Annotated[int, Meta(ge=0)] = 0
    pause_s: Annotated[float, Meta(ge=0)] = 0.01

    @property
    def billed(self) -> bool:
        return self.kind not in UNBILLED


_ASKED = re.compile(rb"FAULT:([a-z_]+)(?:=([0-9]{1,9}))?")


def asked_in_prompt(body: bytes) -> Rule | None:
    """The fault a prompt asks for by ``FAULT:<kind>`` or ``FAULT:<kind>=<number>``: the last one, so that a
    conversation may have several. The number is the kind's main particular (see ``docs/sandbox.md``)."""
    if b"FAULT:" not in body:
        return None
    for kind, number in reversed(_ASKED.findall(body)):
        if kind.decode() in KINDS:
            return _with_number(kind.decode(), int(number) if number else None)
    return None


def _with_number(kind: Kind, number: int | None) -> Rule:
    rule = Rule(kind=kind)
    if number is None:
        return rule
    match kind:
        case "status":
            return msgspec.structs.replace(rule, status=number if 400 <= number <= 599 else 500)
        case "body_cut":
            return msgspec.structs.replace(rule, at_byte=number)
        case "huge" | "gzip":
            return msgspec.structs.replace(rule, size=number)
        case "drip":
            return msgspec.structs.replace(rule, pause_s=number / 1000)
        case _:
            return msgspec.structs.replace(rule, after=number)


class Asked(msgspec.Struct, frozen=True):
    """What a rule may know of a request. ``content``: equal for requests that ask the same."""

    model: str
    stream: bool
    body: bytes
    content: str


class Script:
    """Rules in order, of which the first that applies decides; a fault asked for in the prompt goes before them all."""

    def __init__(self, rules: Sequence[Rule], *, seed: int, prompt_faults: bool) -> None:
        self.rules = tuple(rules)
        self.prompt_faults = prompt_faults
        self._seed = seed
        self._met = [0] * len(self.rules)
        self._applied = [0] * len(self.rules)
        self._attempts = _Attempts(65_536)

    def choose(self, asked: Asked) -> Rule | None:
        """The fault for this request, if any; each call counts as one arrival."""
        if self.prompt_faults and (rule := asked_in_prompt(asked.body)):
            return rule
        if not self.rules:
            return None
        attempt = self._attempts.count(asked.content)
        for number, rule in enumerate(self.rules):
            if _meets(rule, asked) and self._due(number, rule, asked.content, attempt):
                self._applied[number] += 1
                return rule
        return None

    def _due(self, number: int, rule: Rule, content: str, attempt: int) -> bool:
        self._met[number] += 1
        if rule.times and self._applied[number] >= rule.times:
            return False
        if rule.every and self._met[number] % rule.every:
            return False
        return rule.probability >= 1.0 or draw(f"{self._seed}:{number}:{content}:{attempt}") < rule.probability


def _meets(rule: Rule, asked: Asked) -> bool:
    if rule.stream is not None and rule.stream != asked.stream:
        return False
    if rule.model and not fnmatchcase(asked.model, rule.model):
        return False
    return not rule.marker or rule.marker.encode() in asked.body


class _Attempts:
    """How often each content came, of the ``capacity`` last ones."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, content: str) -> int:
        number = self._counts.pop(content, 0) + 1
        self._counts[content] = number
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return number
