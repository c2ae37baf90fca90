"""The HTTP words of a cache: the request's Cache-Control (RFC 9111) and the reply's Cache-Status (RFC 9211)."""

from __future__ import annotations

import re

from pennyworth.request import Directives

_NONE = Directives()
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*("?)', re.DOTALL)
_FOREVER = 2**31
"""RFC 9111 §1.2.2: what a number too large to hold is taken for."""


def read_cache_control(value: str) -> Directives:
    """The directives this cache obeys; unknown ones are ignored, as RFC 9111 §5.2.3 asks.

    Of a directive given twice the first counts. An unreadable ``max-age`` is 0 (§4.2.1: consider it stale), an unreadable
    ``max-stale`` is none; ``max-stale`` without a number accepts any age (§5.2.1.2).
    """
    if not value:
        return _NONE
    words: dict[str, str] = {}
    for part in (_QUOTED.sub(_without_commas, value) if '"' in value else value).split(","):
        name, _, argument = part.partition("=")
        words.setdefault(name.strip().lower(), argument.strip().strip('"'))
    max_age, max_stale = words.get("max-age"), words.get("max-stale")
    return Directives(
        no_cache="no-cache" in words,
        no_store="no-store" in words,
        only_if_cached="only-if-cached" in words,
        max_age_s=None if max_age is None else _seconds(max_age) or 0,
        max_stale_s=_FOREVER if max_stale == "" else _seconds(max_stale or ""),
    )


def _without_commas(quoted: re.Match[str]) -> str:
    """A comma in a quoted string separates nothing; one after a quote that is never closed does."""
    return quoted[0].replace(",", " ") if quoted[1] else quoted[0]


def _seconds(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text), _FOREVER) if len(text) < 11 else _FOREVER


def quoted(text: str) -> str:
    """An RFC 8941 string: printable ASCII, escaped; anything else becomes ``?``."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
