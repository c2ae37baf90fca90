"""The model the caller named, once. Whatever it answers stands."""

from __future__ import annotations

from collections.abc import Generator

from pennyworth.plan import Target
from pennyworth.request import Request
from pennyworth.routing.steps import Seen, Send
from pennyworth.view import View


def as_asked(request: Request, view: View, asked: Target) -> Generator[Send, Seen, None]:
    yield Send(asked, "the model the caller asked for")
