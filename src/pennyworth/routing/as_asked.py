"""The model the caller named, once. Whatever it answers stands."""

from __future__ import annotations

from pennyworth.plan import Target
from pennyworth.request import Request
from pennyworth.routing.steps import Send, Steps
from pennyworth.view import View


def as_asked(request: Request, view: View, asked: Target) -> Steps:
    yield Send(asked, "the model the caller asked for")
    return None
