"""What is left of a record when somebody is forgotten: the money, the times, the model; nothing that leads to them.

A record only ever gets shorter, so that its line in a journal can be overwritten where it stands.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from pennyworth.outcome import Intent, Receipt
from pennyworth.view import Control
from pennyworth.whom import Whom

_R = TypeVar("_R", bound=Intent | Receipt)


def emptied(record: _R, whom: Whom) -> _R:
    """The record without them. Money stays to the picodollar, and so do model, route, team and times: books balance."""
    client = "" if whom.by == "client" else record.client
    left = replace(record, client=client, scope="" if whom.by == "scope" else _wide(record, whom))
    return _nameless(left)


def as_written(record: _R, control: Control, epoch: int) -> _R:
    """The record of a request that began in this epoch, as it may be written now: they may have been forgotten since."""
    for name, since in control.forgotten.items():
        if epoch < since:
            record = _without(record, name)
    return record


def _without(record: _R, name: str) -> _R:
    sort, _, value = name.partition(":")
    match sort:
        case "user" | "client" | "scope":
            whom = Whom(by=sort, value=value)
            return emptied(record, whom) if whom.made(record) else record
        case _:
            return _nameless(record)


def _wide(record: Intent | Receipt, whom: Whom) -> str:
    """The scope without what in it stands for one end user, or for the key: see ``Caller.narrow``."""
    scope, client = record.scope, record.client
    if not client:
        return scope
    if whom.by == "client":
        own = scope in (client, f"key:{client}") or scope.startswith((f"user:{client}:", f"conversation:{client}:"))
        return "" if own else scope
    for narrow in (f"user:{client}:", f"conversation:{client}:"):
        if scope.startswith(narrow):
            return narrow
    return scope


def _nameless(record: _R) -> _R:
    """Without the end user, the tags, the question's key, and what providers call the request."""
    if not isinstance(record, Receipt):
        return record
    attempts = tuple([replace(attempt, provider_request_id="") for attempt in record.attempts])
    return replace(record, end_user="", tags=(), key="", answer="", attempts=attempts)
