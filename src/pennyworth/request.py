"""What a caller asks: the request as a value, its caller, and what it says about caching. Made by ``wire``, read by all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NewType

import msgspec

Dialect = Literal["chat", "messages", "responses", "embeddings", "other"]
"""A wire format. ``chat``, ``responses``, ``embeddings``: OpenAI's. ``messages``: Anthropic's. ``other``: anything else
under ``/v1/``, which is passed through untouched."""

Key = NewType("Key", bytes)
"""32 bytes of HMAC-SHA-256; says nothing about what was hashed."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as far as the door could establish.

    Attributes:
        scope: who may share an answer with this caller; a hard partition, part of every key. Never a secret itself.
        credential: the caller's own provider ``Authorization`` value, only where the operator forwards it; or that of
            ``x-api-key``, as Anthropic's SDKs show it, which ``shows`` says.
        client: the name of the key it showed, "" where callers need none. ``team``: that key's team, "" without one.
        narrow: what of each request narrows the scope further, so that answers are shared within it only.
    """

    scope: str
    credential: str = ""
    client: str = ""
    team: str = ""
    narrow: Literal["", "user", "conversation"] = ""
    shows: Literal["authorization", "x-api-key"] = "authorization"

    def __repr__(self) -> str:  # a credential must not reach a log by way of a repr
        return f"Caller(scope={self.scope!r})"


class Directives(msgspec.Struct, frozen=True):
    """The request's ``Cache-Control`` (RFC 9111 §5.2.1), the words this cache obeys."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age_s: int | None = None
    max_stale_s: int | None = None


class Through(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked under ``/v1/`` beside the dialects, and is passed through as it came.

    Attributes:
        path: below a provider's base URL, its escapes and its query as the caller sent them.
        headers: those of the caller's that go along; lower-cased names.
        shape: method and path without what only one caller knows: ``GET /v1/files/{id}``.
        named: the model that its body, form or path names, "" for none. ``renamable``: it may be given another name.
        provider: whom the caller wants asked, by the name of its section; "" leaves it to the configuration.
        flavour: the dialect in which he reads errors. ``counts``: he asks how many tokens a Messages request has.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    shape: str
    named: str = ""
    renamable: bool = False
    provider: str = ""
    flavour: Dialect = "chat"
    counts: bool = False

    def __repr__(self) -> str:  # ids of a caller's files must not reach a log by way of a repr
        return f"Through({self.shape!r})"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a model.

    Attributes:
        body: the caller's bytes, forwarded as they came unless an ``Edit`` changes them.
        fields: the parsed body. Numbers keep their lexemes (see ``wire.json_tree``); read-only by agreement.
        unkeyed: why this body must not be given a key ("" = it may have one), e.g. a duplicate nested key.
        vary: answer-changing headers, lower-cased and sorted, that go into the key.
        wants_usage: a streaming caller asked for the usage event (``stream_options.include_usage``).
        once: its ``Idempotency-Key``, "" without one.
        end_user: the body's ``user`` field, else the header ``x-pennyworth-user``, or "": hashed before it reaches a receipt.
        timeout_s: how long the caller waits, where it says so; 0 = it does not.
        through: where and how it is sent, for the dialect ``other`` alone.
    """

    dialect: Dialect
    model: str
    body: bytes
    fields: Mapping[str, Any]
    caller: Caller
    stream: bool = False
    wants_usage: bool = False
    n: int = 1
    unkeyed: str = ""
    vary: tuple[tuple[str, str], ...] = ()
    directives: Directives = Directives()
    tags: tuple[str, ...] = ()
    end_user: str = ""
    once: str = ""
    timeout_s: float = 0.0
    through: Through | None = None

    def __repr__(self) -> str:  # a prompt must not reach a log by way of a repr
        return f"Request({self.dialect!r}, {self.model!r}, {self.caller!r}, {len(self.body)} bytes)"


class Edit(msgspec.Struct, frozen=True):
    """A change to the forwarded body: one top-level field set to a JSON value, outside messages, tools and system.

    Attributes:
        value: ``b""`` takes the field out.
        lose: what the reply must lose again because of it: ``usage`` (the stream's usage event was asked for by us).
    """

    field: str
    value: bytes
    reason: str
    lose: Literal["", "usage"] = ""
