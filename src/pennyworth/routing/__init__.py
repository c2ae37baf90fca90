"""Routing policies, one file each: generators that yield attempts and are sent what came of them."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.routing.as_asked import as_asked
from pennyworth.routing.fallback import falling_back
from pennyworth.routing.steps import Policy, Seen, Send, Steps

POLICIES: Mapping[str, Policy] = {"as_asked": as_asked}
"""Every policy by the name that ``routes.policy`` gives it."""

__all__ = ["POLICIES", "Policy", "Seen", "Send", "Steps", "falling_back"]
