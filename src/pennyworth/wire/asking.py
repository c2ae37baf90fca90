"""What a request says beside its body, in whatever dialect: whose it is, how long it waits, what the cache may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pennyworth.errors import RequestError
from pennyworth.request import Directives
from pennyworth.wire.headers import read_cache_control

TAGS_HEADER = "x-pennyworth-tags"
TIMEOUT_HEADERS = ("x-pennyworth-timeout", "x-stainless-read-timeout", "x-stainless-timeout")
"""How long the caller waits, in seconds: ours, and what the official SDKs send of their own accord."""
USER_HEADER = "x-pennyworth-user"
"""Names the end user where the body does not."""

ONCE_HEADER = "idempotency-key"

_LONGEST_KEY = 255
_LONGEST_TIMEOUT_S = 86400.0


class Asking(msgspec.Struct, frozen=True):
    """The headers of a request, read; each as the attribute of the same name of ``Request``."""

    vary: tuple[tuple[str, str], ...]
    directives: Directives
    tags: tuple[str, ...]
    once: str
    timeout_s: float


def read_asking(headers: Mapping[str, str], vary: Iterable[str]) -> Asking:
    """``headers``: lower-cased names. ``vary``: those that change answers. Raises ``RequestError``."""
    once, tags = headers.get(ONCE_HEADER), headers.get(TAGS_HEADER)
    return Asking(
        vary=tuple(sorted([(name, headers[name]) for name in vary if name in headers])),
        directives=read_cache_control(headers.get("cache-control", "")),
        tags=_tags(tags) if tags else (),
        once=_once(once) if once is not None else "",
        timeout_s=_timeout_s(headers),
    )


def end_user(said: object, headers: Mapping[str, str]) -> str:
    """``said``: the body's own word for it."""
    return said if isinstance(said, str) and said else headers.get(USER_HEADER, "")


def _tags(value: str) -> tuple[str, ...]:
    tags = tuple(sorted({tag.strip() for tag in value.split(",")} - {""}))
    if len(tags) > 16 or any(len(tag) > 128 for tag in tags):
        raise RequestError(f"{TAGS_HEADER}: at most 16 tags of 128 characters each.", code="invalid_header")
    return tags


def _timeout_s(headers: Mapping[str, str]) -> float:
    """0 where nothing sensible is said: a header that only hints must not fail a request."""
    for name in TIMEOUT_HEADERS:
        if (said := headers.get(name)) is not None:
            try:
                seconds = float(said)
            except ValueError:
                continue
            if 0 < seconds <= _LONGEST_TIMEOUT_S:
                return seconds
    return 0.0


def _once(key: str) -> str:
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        problem = f"{ONCE_HEADER}: one of 1 to {_LONGEST_KEY} characters is needed, such as a random UUID."
        raise RequestError(problem, code="invalid_header")
    return key
