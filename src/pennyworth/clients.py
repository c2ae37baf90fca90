"""Who may ask, and what: client keys, teams, allowances and budgets. Of the configuration, or made at run time."""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.secret import Secret

Share = Literal["scope", "global", "team", "key", "user", "conversation"]
"""With whom a key shares kept answers: others of its named scope, everybody, its team, nobody else, or only within one
end user or conversation of its own."""

AtLimit = Literal["refuse", "downgrade", "cache_only"]
"""What becomes of a request beyond a limit: refused, sent to a cheaper target, or answered from the cache or not at all."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The most that may be spent in each calendar day or month (UTC). ``amount``: a decimal in ``currency``."""

    period: Literal["day", "month"]
    amount: str
    currency: str = "USD"


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a key, a team or everybody together may do.

    Attributes:
        models: patterns of the models that may be asked.
        requests_per_minute, tokens_per_minute: 0 = no limit. Tokens are those of calls to providers, in and out.
        at_limit: what becomes of requests beyond a budget or rate. ``downgrade_to``: the model asked instead.
        alert_at: shares of a budget at which the operator is told, once a period each.
        pass_through: may ask what has no price and so is bounded by nothing of this; ``None``: only where nothing bounds.
    """

    models: tuple[str, ...] = ("*",)
    budgets: tuple[Budget, ...] = ()
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    at_limit: AtLimit = "refuse"
    downgrade_to: str = ""
    alert_at: tuple[float, ...] = (0.8, 1.0)
    pass_through: bool | None = None


UNLIMITED = Allowance()


class Team(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    allowance: Allowance = UNLIMITED


class ClientKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the configuration that callers present to us, the scope it gives, and what it may do."""

    name: str
    secret: Secret
    scope: str
    team: str = ""
    share: Share = "scope"
    allowance: Allowance = UNLIMITED


class VirtualKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key made at run time. Its secret was shown once and is nowhere: ``seal`` is its keyed hash, hex.

    Attributes:
        former_seal, former_until_s: after a rotation the old secret holds until then (wall clock).
        hint: its last four characters, to tell keys apart. ``expires_s``: 0 = never. ``revoked_s``: 0 = in force.
    """

    name: str
    seal: str
    hint: str
    created_s: float
    scope: str
    team: str = ""
    share: Share = "key"
    allowance: Allowance = UNLIMITED
    former_seal: str = ""
    former_until_s: float = 0.0
    expires_s: float = 0.0
    revoked_s: float = 0.0


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """All virtual keys by name, the revoked ones included. ``version`` rises with each change."""

    version: int = 0
    keys: dict[str, VirtualKey] = {}
