"""From one dialect to another: requests, replies, streams. What cannot be carried is said by its field's name.

Requests are translated on their way to a provider that does not speak the caller's dialect; replies on their way to the
caller, so that what is kept and what a flight holds are always the provider's own bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from pennyworth.errors import RequestError
from pennyworth.request import Dialect, Request


class CannotSayError(ValueError):
    """A reply holds what the other dialect has no words for. ``what``: the field or part."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Translated(NamedTuple):
    """``dropped``: the names of what was left out, as the operator allowed."""

    request: Request
    dropped: tuple[str, ...]


def request_into(request: Request, into: Dialect, drop: Collection[str] = ()) -> Translated:
    """The request as a provider reads it that speaks ``into``.

    Args:
        drop: names of fields that may be left out where they cannot be carried.

    Raises:
        RequestError: 400, a field that cannot be carried; ``param`` names it.
    """
    raise RequestError(
        f"{request.model} is offered by a provider that does not speak {request.dialect}.", code="cannot_translate"
    )


def plain_form(request: Request) -> Mapping[str, Any] | None:
    """The body that means the same in every dialect, in the words of chat completions; ``None`` where there is none.

    Two requests of one plain form ask the very same thing: an answer to one is an answer to the other (key form
    ``neutral/1``).
    """
    return None


def reply_as_json(raw: bytes, *, streamed: bool, origin: Dialect, into: Dialect) -> bytes:
    """A recorded reply as one JSON body of another dialect. Raises ``CannotSayError``."""
    raise CannotSayError(f"{origin} as {into}")


def reply_as_events(raw: bytes, *, streamed: bool, origin: Dialect, into: Dialect, usage: bool) -> bytes:
    """A recorded reply as the events of another dialect. Raises ``CannotSayError``."""
    raise CannotSayError(f"{origin} as {into}")


def error_as(raw: bytes, status: int, into: Dialect) -> bytes:
    """A provider's error body, said in another dialect: its message is kept."""
    return raw


class StreamTranslator:
    """A stream of one dialect, said in another while it passes. ``feed`` whole events, in any number at once.

    It raises nothing: what has no words in the other dialect is left out. What it returns is whole events, ``b""`` where
    there is nothing to say yet. ``usage``: whether the caller asked for it, where the dialect leaves the choice.
    """

    def __init__(self, origin: Dialect, into: Dialect, *, usage: bool = True) -> None:
        self._origin = origin
        self._into = into
        self._usage = usage

    def feed(self, events: bytes) -> bytes:
        return b""
