"""What a check of the configuration has to say about one key."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "ok"]


class Finding(msgspec.Struct, frozen=True):
    """``error``: it will not work. ``warning``: it works, perhaps not as meant. ``ok``: looked at and found in order."""

    severity: Severity
    key: str
    message: str
    fix: str = ""


def error(key: str, message: str, fix: str) -> Finding:
    return Finding("error", key, message, fix)


def warning(key: str, message: str, fix: str) -> Finding:
    return Finding("warning", key, message, fix)


def ok(key: str, message: str) -> Finding:
    return Finding("ok", key, message)
