"""What one process of the application is to ask, and of whom."""

from __future__ import annotations

import msgspec

from pennyworth.demo.stream import Asking


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """``provider_key``: what the gateway shows the provider, who signs for it."""

    base_url: str
    key: str
    provider_key: str
    at_once: int
    askings: list[Asking]
