"""The virtual keys as a table for people."""

from __future__ import annotations

from rich.table import Table

from pennyworth.cli.amounts import moment
from pennyworth.cli.screen import add, listing
from pennyworth.clients import KeySet, VirtualKey
from pennyworth.config.describe import in_words
from pennyworth.decide.keys import state_of


def table(keys: KeySet, now_s: float) -> Table:
    made = listing("name", "state", "team", "shares with", "may", "ends in", "created", whole=("name", "state"))
    for name, key in sorted(keys.keys.items()):
        add(
            made,
            name,
            _state(key, now_s),
            key.team or "–",
            f"the scope {key.scope}" if key.share == "scope" else _SHARES[key.share],
            in_words(key.allowance) or "everything",
            _ends_in(key, now_s),
            moment(key.created_s),
        )
    return made


_SHARES = {
    "global": "everybody",
    "team": "its team",
    "key": "nobody",
    "user": "nobody, by end user",
    "conversation": "nobody, by conversation",
}


def _ends_in(key: VirtualKey, now_s: float) -> str:
    """Its last characters, and until when the secret before a rotation still opens the door."""
    former = key.former_until_s > now_s and state_of(key, now_s) == "in force"
    return f"…{key.hint}" + (f"; the former secret until {moment(key.former_until_s)}" if former else "")


def _state(key: VirtualKey, now_s: float) -> str:
    state = state_of(key, now_s)
    return f"{state} until {moment(key.expires_s)}" if key.expires_s and state == "in force" else state
