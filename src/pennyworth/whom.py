"""Who is to be forgotten, what of the kept records is theirs, and the record that it was done.

An end user is known by the pseudonym that receipts and answers carry, never by the caller's own words.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from pennyworth.outcome import Answer, Intent, Receipt

Sort = Literal["user", "client", "scope"]
"""One end user, one client key by its name, or everybody of one scope."""


class Whom(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, and until when: what they ask for afterwards is theirs again.

    Attributes:
        value: the end user's pseudonym, the client key's name, the scope.
        until_s: receipts of requests that began later are not meant. ``epoch``: nor answers asked for in it or later.
    """

    by: Sort
    value: str
    until_s: float = math.inf
    epoch: int = 2**62

    @property
    def name(self) -> str:
        """As purges are named in the control row."""
        return f"{self.by}:{self.value}"

    def asked(self, answer: Answer) -> bool:
        """Whether the answer was asked for by them, whoever shares it."""
        return answer.asked_epoch < self.epoch and self.value == _of(answer, self.by)

    def made(self, record: Intent | Receipt) -> bool:
        """Whether the record tells of them."""
        if record.at_s > self.until_s:
            return False
        match self.by:
            case "user":
                return isinstance(record, Receipt) and record.end_user == self.value
            case "client":
                return record.client == self.value
            case "scope":
                return record.scope == self.value


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The record that somebody was forgotten; it names them by pseudonym.

    Attributes:
        gone: how many records of each place were removed or emptied. ``failed``: the places where that did not work, why.
        confirmed: workers that went by it when the places were emptied, of so many ``workers`` that were running.
    """

    at_s: float
    by: Sort
    pseudonym: str
    gone: dict[str, int]
    failed: dict[str, str] = {}
    confirmed: int = 0
    workers: int = 0


def _of(answer: Answer, by: Sort) -> str:
    match by:
        case "user":
            return answer.end_user
        case "client":
            return answer.client
        case "scope":
            return answer.scope
