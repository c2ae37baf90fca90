"""How the admin port writes: money exact and readable, times both ways, errors that name field, value and fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.responses import Response

from pennyworth.errors import ConfigError, RequestError
from pennyworth.money import Money

_LONGEST_VALUE = 100


class WrongInputError(RequestError):
    """A field of a call that cannot be used: which one, what it holds, what to send instead."""

    def __init__(self, field: str, value: object, problem: str, fix: str, *, status: int = 400) -> None:
        super().__init__(f"{field}: {problem}. {fix}", status=status, code="wrong_input", param=field)
        self.value = _cut(value)
        self.fix = fix


class RefusedError(RequestError):
    """A configuration that is refused as a whole, and every reason for it."""

    def __init__(self, reasons: Sequence[ConfigError]) -> None:
        said = f"The configuration is refused, and the old one stays in force. {reasons[0]}"
        more = f" ({len(reasons) - 1} more reasons under problems)" if len(reasons) > 1 else ""
        super().__init__(said + more, status=422, code="configuration_refused")
        self.reasons = reasons


def reply(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json", headers=_HEADERS)


_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def error_body(error: RequestError) -> bytes:
    said: dict[str, object] = {"code": error.code, "message": error.message}
    if isinstance(error, RefusedError):
        said["problems"] = [{"key": each.key, "problem": each.problem, "fix": each.fix} for each in error.reasons]
    if isinstance(error, WrongInputError):
        said |= {"field": error.param, "value": error.value, "fix": error.fix}
    return msgspec.json.encode({"error": said})


def plain(value: Any) -> Any:
    """A noun as JSON values. Money becomes ``{"pico": whole picodollars, "usd": "dollars"}``, both exact."""
    match value:
        case Money():
            return money(value)
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case Mapping():
            return {name: plain(each) for name, each in value.items()}
        case tuple() | list():
            return [plain(each) for each in value]
        case _:
            return value


def money(amount: Money) -> dict[str, object]:
    return {"pico": amount.pico, "usd": str(amount)}


def iso(at_s: float) -> str:
    """``2026-11-22T10:15:00Z``."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cut(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
    return value if isinstance(value, int | float | None) else f"a {type(value).__name__}"
