"""The HTTP words of a cache: the request's Cache-Control (RFC 9111) and the reply's Cache-Status (RFC 9211)."""

from __future__ import annotations

from pennyworth.request import Directives

_NONE = Directives()


def read_cache_control(value: str) -> Directives:
    """The directives this cache obeys; unknown ones and bad numbers are ignored, as RFC 9111 §5.2 asks."""
    if not value:
        return _NONE
    words: dict[str, str] = {}
    for part in value.split(","):
        name, _, argument = part.strip().partition("=")
        words[name.strip().lower()] = argument.strip().strip('"')
    return Directives(
        no_cache="no-cache" in words,
        no_store="no-store" in words,
        only_if_cached="only-if-cached" in words,
        max_age_s=_seconds(words.get("max-age")),
        max_stale_s=_seconds(words.get("max-stale")),
    )


def _seconds(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    return int(text)


def quoted(text: str) -> str:
    """An RFC 8941 string: printable ASCII, escaped; anything else becomes ``?``."""
    clean = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
