"""What a decision may know besides the request: the Plan, the shared control row, the time, and chance by key.

A View is a snapshot: it does not change while a request holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from pennyworth.clients import UNLIMITED, Allowance
from pennyworth.outcome import Answer
from pennyworth.plan import Plan, Switch
from pennyworth.request import Caller

Select = Literal["all", "key", "model", "tag", "scope", "older_than", "user", "client"]
"""What a purge selects by. ``key``: the hex of an exact or normalised key, or a prefix of at least 16 digits.
``user``: an end user's pseudonym. ``client``: the name of a client key."""


class Purge(msgspec.Struct, frozen=True):
    """Answers that match are dead from ``epoch`` on. For ``older_than``, ``value`` is a wall-clock time in seconds."""

    by: Select
    value: str
    epoch: int


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The one versioned row all workers share and see within a second.

    Attributes:
        version: rises with each change. ``enabled``: the kill switch.
        epoch: rises with each purge. ``purges``: (by, value) -> the epoch from which older answers are dead.
        older_than_s: answers created before this wall-clock time are dead.
        switches: run-time overrides, ``layer`` or ``layer@route`` -> switch.
        revisions: model -> counter of epochs started by a changed fingerprint or by hand.
        fingerprints: model -> the last ``system_fingerprint`` seen, where a route watches it.
        forgotten: ``Whom.name`` -> the epoch before which nothing may be written of them any more; "all:" stands for
            those forgotten so long ago that their names had to make room.
    """

    version: int = 0
    enabled: bool = True
    epoch: int = 0
    purges: dict[str, int] = {}
    older_than_s: float = 0.0
    switches: dict[str, Switch] = {}
    revisions: dict[str, int] = {}
    fingerprints: dict[str, str] = {}
    forgotten: dict[str, int] = {}

    def kills(self, answer: Answer, key_hex: str) -> bool:
        """Whether a purge made after the answer was asked for selects it."""
        if not self.purges and not self.older_than_s:
            return False
        if answer.created_s < self.older_than_s:
            return True
        purges, asked = self.purges, answer.asked_epoch
        if asked < purges.get("all:", 0):
            return True
        if asked < purges.get("model:" + answer.model, 0) or asked < purges.get("scope:" + answer.scope, 0):
            return True
        if asked < purges.get("key:" + key_hex[:16], 0) or asked < purges.get("key:" + answer.key, 0):
            return True
        if asked < purges.get("user:" + answer.end_user, 0) or asked < purges.get("client:" + answer.client, 0):
            return True
        return any(asked < purges.get("tag:" + tag, 0) for tag in answer.tags)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one client key may do: its own allowance, its team's, and everybody's together. All three must agree.

    ``any_model``: none of the three names models. ``limited``: one of them bounds money or a rate. Both are made once,
    since every request asks.
    """

    client: str = ""
    team: str = ""
    own: Allowance = UNLIMITED
    of_team: Allowance = UNLIMITED
    of_all: Allowance = UNLIMITED
    any_model: bool = True
    limited: bool = False

    def __post_init__(self) -> None:
        three = (self.own, self.of_team, self.of_all)
        bounds = [each for each in three if each.budgets or each.requests_per_minute or each.tokens_per_minute]
        msgspec.structs.force_setattr(self, "any_model", all("*" in each.models for each in three))
        msgspec.structs.force_setattr(self, "limited", bool(bounds))


class Tenants(msgspec.Struct, frozen=True, kw_only=True):
    """The keys in force at one moment, those of the Plan and the virtual ones. With none of it, nobody is let in.

    What is remembered of callers is remembered for one such value, and forgotten with it.

    Attributes:
        version: of the virtual keys it was made of.
        grants: by the client's name; "" stands for callers without a key, where they are served.
        callers: who shows a key, by the keyed hash of its secret.
        locked: callers need a key of ours.
        until_s: when the first of the keys expires (Unix time): to be made anew then.
        troubles: keys that are left out, and why.
    """

    version: int = 0
    grants: Mapping[str, Grant] = {}
    callers: Mapping[str, Caller] = {}
    locked: bool = True
    until_s: float = float("inf")
    troubles: tuple[str, ...] = ()


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of what the process knows.

    Attributes:
        wall_s: Unix time; never runs backwards. ``mono_ns``: the monotonic clock.
        draw: ``draw(purpose, key)`` in [0, 1), the same for the same purpose and key: chance that can be replayed.
        tenants: who may come in, and what each may do.
        draining: the process is going down; no new work.
    """

    plan: Plan
    control: Control
    wall_s: float
    mono_ns: int
    draw: Callable[[str, bytes], float]
    draining: bool = False
    tenants: Tenants = Tenants()
