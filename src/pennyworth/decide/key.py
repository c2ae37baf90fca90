"""Which requests are the same question? The key of its normal form, and the key of its very wording.

Key = HMAC-SHA-256(scope secret; version, form, requested model, target, route, revisions, vary headers, body).
Every body field counts, minus ``LEFT_OUT``: a list of fields to include rots as providers add parameters, a list of
fields to leave out only costs a hit (four published incidents in one peer). Unknown fields stay in.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pennyworth import canonical
from pennyworth.mac import Mac
from pennyworth.plan import Target
from pennyworth.request import Key, Request

VERSION = 2

NEUTRAL = "neutral/1"
"""The form of questions that mean the same in every dialect that can ask them."""

LEFT_OUT: Mapping[str, str] = {
    "stream": "how the reply travels; one answer serves both",
    "stream_options": "which events the caller sees; applied again at replay",
    "user": "who asks, not what; providers use it for abuse monitoring",
    "metadata": "labels for the provider's dashboard",
    "service_tier": "how fast and at what price, not what",
    "prompt_cache_key": "a routing hint for the provider's prompt cache",
    "safety_identifier": "successor of user",
}
"""Body fields that do not change an answer, each with its reason. Removing one only costs hits; adding one can mix
answers up, so each has a test."""


SAID_BACK = frozenset(("metadata", "prompt_cache_key", "safety_identifier", "user"))
"""A response repeats these of its request (OpenAI's reference, "The Response object"), so in that dialect they count:
nobody is to read whose question it was that he has the answer of."""

_LEFT_OUT = frozenset(LEFT_OUT)
_LEFT_OUT_OF: Mapping[str, frozenset[str]] = {"responses": _LEFT_OUT - SAID_BACK}

_WORDING = b"wording\0"
_ITEM = b"item\0"
_BATCH = b"batch\0"


def said_back(request: Request) -> bool:
    """The reply names whose question it was, so its answer is for no other, in whatever dialect he asks."""
    return request.dialect == "responses" and not SAID_BACK.isdisjoint(request.fields)


def without_names(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same question, and nobody's."""
    return {name: value for name, value in fields.items() if name not in SAID_BACK}


class Question(NamedTuple):
    """What is asked. ``fields``: the body in this ``form``. ``normal``: the same with its wording folded."""

    form: str
    fields: Mapping[str, Any]
    normal: Mapping[str, Any]


class Keys(NamedTuple):
    """``exact``: of this very wording. ``normal``: of all wordings with one normal form; the same, if it is that form."""

    exact: Key
    normal: Key


class Series:
    """The keys of many things that are asked in the same way: all of the question but the thing is sealed once.

    ``of`` raises ``ValueError`` for what cannot be written down unambiguously.
    """

    __slots__ = ("_common", "_seal")

    def __init__(self, seal: Mac, common: bytes) -> None:
        self._seal = seal
        self._common = _ITEM + common

    def of(self, item: object) -> Key:
        """The same whether it is asked for alone or among others."""
        return Key(self._seal(self._common + canonical.encode(item)))

    def together(self, keys: Sequence[Key], places: Sequence[int]) -> Key:
        """Of all of them in this order, of which those at these places are asked for."""
        return Key(self._seal(b"".join([_BATCH, *keys, canonical.encode(places)])))


class Keyring:
    """Makes keys. Holds the deployment secret, and the derived secret of each scope it has met."""

    _MOST_SCOPES = 10_000

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._scopes: dict[str, Mac] = {}

    def keys(self, request: Request, question: Question, target: Target, route: str, epoch: int) -> Keys | None:
        """The keys of a request that asks this; ``None`` if it must not have any.

        A question that is typed in its normal form, as nearly all are, has one key. Any other is told from it by the
        turns that differ, which with the normal form make up the whole of it.
        """
        if request.unkeyed:
            return None
        vary = _vary(request) if request.vary and question.form == NEUTRAL else request.vary
        head = (VERSION, question.form, request.model, target.name, target.revision, epoch, route, vary)
        fields, seal = question.normal, self._scope(request.caller.scope)
        left_out = _LEFT_OUT_OF.get(question.form, _LEFT_OUT)
        if not left_out.isdisjoint(fields):
            fields = {name: value for name, value in fields.items() if name not in left_out}
        try:
            form = seal(canonical.encode(head) + canonical.encode(fields))
            same = question.normal is question.fields
            typed = form if same else seal(_WORDING + form + canonical.encode(_turns(question)))
        except (ValueError, TypeError, RecursionError):
            return None  # what cannot be written down unambiguously has no key
        return Keys(Key(typed), Key(form))

    def series(self, request: Request, name: str, target: Target, route: str, epoch: int) -> Series | None:
        """For a request that asks for a list of things in its field ``name``, of which each has a key of its own."""
        if request.unkeyed:
            return None
        head = (VERSION, request.dialect, request.model, target.name, target.revision, epoch, route, request.vary)
        fields = {field: value for field, value in request.fields.items() if field != name and field not in LEFT_OUT}
        seal = self._scope(request.caller.scope)
        try:
            return Series(seal, seal(canonical.encode(head) + canonical.encode(fields)))
        except (ValueError, TypeError, RecursionError):
            return None

    def pseudonym(self, purpose: str, text: str) -> str:
        """16 hex digits that stand for a text (an end user, a credential) and cannot be turned back."""
        named = f"pseudonym\0{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, named, "sha256").hex()[:16]

    def end_user(self, request: Request) -> str:
        """What stands on receipts and answers for the end user of a request; "" where it names none."""
        return self.pseudonym("end user", request.end_user) if request.end_user else ""

    def derive(self, purpose: str) -> bytes:
        """A secret for another purpose (the store's seal), so that no key serves two ends."""
        return hmac.digest(self._secret, b"derive\0" + purpose.encode(), "sha256")

    def _scope(self, scope: str) -> Mac:
        found = self._scopes.get(scope)
        if found is None:
            if len(self._scopes) >= self._MOST_SCOPES:
                self._scopes.clear()
            secret = hmac.digest(self._secret, b"scope\0" + scope.encode("utf-8", "surrogatepass"), "sha256")
            found = self._scopes[scope] = Mac(secret)
        return found


def _turns(question: Question) -> list[tuple[int, Any]]:
    """The messages that are worded unlike their normal form, and where they stand."""
    pairs = zip(question.fields["messages"], question.normal["messages"], strict=True)
    return [(place, typed) for place, (typed, folded) in enumerate(pairs) if typed is not folded]


def _vary(request: Request) -> tuple[tuple[str, str], ...]:
    """The version of a wire format says how a question is put, not what it is."""
    return tuple([header for header in request.vary if header[0] != "anthropic-version"])
