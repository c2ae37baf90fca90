"""What can go wrong, by whose fault. Every message says what was wrong, with the value, and what to do next.

PennyworthError
├── ConfigError      the operator's: a key of the configuration, its value, the fix
├── RequestError     the caller's: becomes a 4xx in the caller's dialect
├── UpstreamError    the provider's, or the road to it: becomes the provider's own status, or 502/504
└── StoreError       our own parts: never reaches a caller, it is a miss, a note on the receipt and a metric
"""

from __future__ import annotations

from typing import Literal

UpstreamFault = Literal[
    "connect", "timeout", "reset", "malformed", "too_large", "cancelled", "no_room", "resting", "unspeakable"
]
"""``no_room``, ``resting``, ``unspeakable``: the call was not made, because the target takes no more at once, is left alone,
or speaks no dialect that could carry it."""


class PennyworthError(Exception):
    """Root of everything this package raises on purpose."""


class ConfigError(PennyworthError):
    """A configuration key that cannot be used: which one, what it holds, how to mend it."""

    def __init__(self, key: str, problem: str, fix: str) -> None:
        super().__init__(f"{key}: {problem}. {fix}")
        self.key = key
        self.problem = problem
        self.fix = fix


class RequestError(PennyworthError):
    """A request that cannot be served as it is.

    Attributes:
        status: HTTP status to answer with.
        code: the dialect's machine-readable code, e.g. ``duplicate_key``.
        param: the body field at fault, if there is one.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str = "invalid_request", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param


class UpstreamError(PennyworthError):
    """The provider could not be reached, or broke off. Provider *replies* of any status are no exceptions."""

    def __init__(self, fault: UpstreamFault, target: str, message: str) -> None:
        super().__init__(message)
        self.fault: UpstreamFault = fault
        self.target = target
        self.message = message


class StoreError(PennyworthError):
    """A cache store, control row or ledger that is slow, full, read-only or corrupt."""
