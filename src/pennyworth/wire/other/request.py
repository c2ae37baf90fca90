"""Reads what is asked beside the dialects: where it goes, which model it names, and what of its head goes along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pennyworth.request import Caller, Dialect, Request, Through
from pennyworth.wire import json_tree
from pennyworth.wire.asking import end_user, read_asking
from pennyworth.wire.fields import refuse_forbidden
from pennyworth.wire.other.form import model_of
from pennyworth.wire.other.path import checked, shape

PROVIDER_HEADER = "x-pennyworth-provider"
"""Names the provider that is asked, where neither the model nor the configuration does."""

COUNT_TOKENS = "/messages/count_tokens"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_ALONG = (
    *("accept", "content-type", "idempotency-key", "if-range", "range"),
    *("anthropic-beta", "anthropic-version", "openai-beta"),
)
"""Never ``authorization``, ``x-api-key``, cookies, or what is between two servers only (RFC 9110 §7.6.1)."""

_LONGEST_MODEL = 256

_JSON = frozenset(("application/json", "application/x-www-form-urlencoded"))
"""The latter is what curl's ``-d`` says of every body. No form begins with a brace."""


class Asking(msgspec.Struct, frozen=True):
    """The request line and headers (lower-cased names). ``path``: with its escapes as they came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def asked_for(path: str) -> bool:
    """Whether this is a path to pass through, where no dialect has it. Twice ``/v1`` is a base URL set wrong."""
    return path.startswith("/v1/") and not path.startswith("/v1/v1/") and len(path) > len("/v1/")


def read_request(
    asking: Asking, body: bytes, caller: Caller, *, vary: Iterable[str] = (), max_depth: int = 128
) -> Request:
    """Raises ``RequestError``: a path that is not passed through, a body that names two models."""
    headers = asking.headers
    path = checked(asking.path, asking.query)
    named, fields = _named(asking, body, max_depth)
    through = Through(
        method=asking.method,
        path=path,
        headers=tuple([(name, headers[name]) for name in sorted({*_ALONG, *vary}) if name in headers]),
        shape=shape(asking.method, path),
        named=named,
        renamable=bool(fields),
        provider=headers.get(PROVIDER_HEADER, ""),
        flavour=flavour(headers, asking.path),
        counts=asking.method == "POST" and path.partition("?")[0] == COUNT_TOKENS,
    )
    # Its Idempotency-Key is the provider's business: it goes along.
    said = read_asking({name: value for name, value in headers.items() if name != "idempotency-key"}, ())
    return Request(
        dialect="other",
        model=named or through.shape,
        body=body,
        fields=fields,
        caller=caller,
        tags=said.tags,
        end_user=end_user(fields.get("user"), headers),
        timeout_s=said.timeout_s,
        through=through,
    )


def _named(asking: Asking, body: bytes, max_depth: int) -> tuple[str, Mapping[str, Any]]:
    """The model, and the fields of a JSON body."""
    kind = asking.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return model_of(body, asking.headers["content-type"]), {}
    counts = asking.path == f"/v1{COUNT_TOKENS}"
    if (kind in _JSON or kind.endswith("+json") or counts) and body.lstrip()[:1] == b"{":
        fields = json_tree.parse(body, max_depth).fields
        refuse_forbidden(fields)
        model = fields.get("model")
        if isinstance(model, str) and 0 < len(model) <= _LONGEST_MODEL and model.isprintable():
            return model, fields
        return "", fields
    first, slash, rest = asking.path.removeprefix("/v1/").partition("/")
    return (rest if first == "models" and slash and asking.method == "GET" and "/" not in rest else ""), {}


def flavour(headers: Mapping[str, str], path: str) -> Dialect:
    """Anthropic's SDKs say the version of their dialect with every request, and read errors in it. Some paths are theirs."""
    return "messages" if "anthropic-version" in headers or path.startswith("/v1/messages/") else "chat"
