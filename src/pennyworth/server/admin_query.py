"""What a call asks for: its query and its body as checked values, or an error that says what to send instead."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import TypeVar

import msgspec
from starlette.requests import Request

from pennyworth.config.amounts import POSITIVE_DURATION
from pennyworth.config.problems import UnusableError
from pennyworth.server.admin_json import WrongInputError

MOST_BODY_BYTES = 64 * 1024
_WINDOW_FIX = 'Use "all", or how far back to look, such as 1h, 24h or 7d.'
_T = TypeVar("_T")


class Query:
    """The query of a call that may carry these parameters and no others, each once."""

    def __init__(self, request: Request, *names: str) -> None:
        self._values: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in names:
                raise WrongInputError(name, value, "there is no such parameter here", _one_of(names))
            if name in self._values:
                raise WrongInputError(name, value, "it stands there twice", "Give it once.")
            self._values[name] = value

    def text(self, name: str) -> str:
        """ "" where it is not given; given, it is not empty."""
        if self._values.get(name) == "":
            raise WrongInputError(name, "", "it is empty", "Give it a value, or leave it out.")
        return self._values.get(name, "")

    def choice(self, name: str, choices: Collection[str]) -> str:
        value = self.text(name)
        if value and value not in choices:
            raise WrongInputError(name, value, "it is not known", _one_of(choices))
        return value

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise WrongInputError(name, text, "it cannot be used", f"Use a whole number from {least} to {most}.")
        return int(text)

    def time(self, name: str) -> float | None:
        """A Unix time, ``None`` where it is not given."""
        text = self.text(name)
        if not text:
            return None
        try:
            at_s = float(text)
        except ValueError:
            at_s = math.nan
        if not 0.0 <= at_s < 1e12:
            raise WrongInputError(name, text, "it is no time", "Use a Unix time in seconds, such as 1800000000.5.")
        return at_s

    def window(self, now_s: float) -> tuple[str, float]:
        """Its name, and when it began; everything unless asked otherwise."""
        text = self.text("window") or "all"
        if text == "all":
            return text, 0.0
        try:
            return text, now_s - float(POSITIVE_DURATION.read(text))
        except UnusableError as error:
            raise WrongInputError("window", text, error.problem, _WINDOW_FIX) from error


async def read_body(request: Request, kind: type[_T], example: str) -> _T:
    """The JSON body as this kind. ``example``: one that would have been right."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY_BYTES:
            raise WrongInputError(
                "body", len(body), f"it is longer than {MOST_BODY_BYTES} bytes", f"Send {example}.", status=413
            )
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        field = _field(str(error))
        raise WrongInputError(field, _held(body, field), _problem(str(error)), f"Send {example}.") from error


def _field(message: str) -> str:
    """msgspec says where: ``Expected `str`, got `int` - at `$.value```, or ``contains unknown field `vlaue```."""
    found = re.search(r"at `\$\.([^`]+)`$", message) or re.search(r"field `([^`]+)`", message)
    return found[1] if found else "body"


def _held(body: bytes, field: str) -> object:
    try:
        return msgspec.json.decode(body)[field]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError):
        return None


def _problem(message: str) -> str:
    return message.partition(" - at ")[0]


def _one_of(names: Collection[str]) -> str:
    return f"Use one of {', '.join(names)}." if names else "Leave it out."
