"""What a policy says and hears. A policy never waits: it yields a step and is sent the outcome.

The outcome a policy returns stands; one that returns nothing has accepted the last.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import msgspec

from pennyworth.outcome import Outcome
from pennyworth.plan import Target
from pennyworth.request import Request
from pennyworth.view import View


class Send(msgspec.Struct, frozen=True):
    """Ask this target. ``reason`` is for the receipt."""

    target: Target
    reason: str


class Seen(msgspec.Struct, frozen=True):
    """What came of the step before, and what the process knows now."""

    outcome: Outcome
    view: View


Steps = Generator[Send, Seen, Outcome | None]
"""One request's way through a policy."""

Policy = Callable[[Request, View, Target], Steps]
"""``policy(request, view, asked)``: ``asked`` is the target the caller named."""
