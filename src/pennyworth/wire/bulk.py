"""How many things a body holds. Reading each as a noun costs about a microsecond, and nobody else is served meanwhile.

Bytes do not tell: ten megabytes are a thousand long turns, dealt with in ten milliseconds, or three hundred thousand
turns of one letter, which take more than a second.
"""

from __future__ import annotations

from pennyworth.request import Request

MOST_TOLD = 20_000
"""A body of more is not looked through for the form that all dialects share: some 25 ms, for a key alone. A conversation
of a thousand turns with calls of tools in each has fifteen thousand."""

MOST_SAID = 150_000
"""A body of more is not translated: some 150 ms. Reading the longest body (``limits.max_body_bytes``) takes as long."""

_LEAST_BYTES = 2
"""Of the shortest member with its comma."""


def is_bulky(request: Request, most: int) -> bool:
    """Whether the body's lists and objects have more members than that, all together."""
    if len(request.body) <= most * _LEAST_BYTES:
        return False
    count = 0
    within: list[object] = [request.fields]
    while within:
        value = within.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(inner)
        if count > most:
            return True
        within += [one for one in inner if one.__class__ is dict or one.__class__ is list]
    return False
