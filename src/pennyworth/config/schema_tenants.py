"""The sections about who asks and how much they may: keys, teams, everybody together, and where alerts go."""

from __future__ import annotations

from typing import get_args

from pennyworth.clients import Allowance, AtLimit, ClientKey, Share, Team
from pennyworth.config.amounts import BUDGET, SHARES
from pennyworth.config.credentials import SECRET, VARIABLE
from pennyworth.config.kinds import FLAG, NAME, PATTERNS, TEXT, one_of, whole
from pennyworth.config.reading import Field, Section
from pennyworth.plan import Plan

_PER_MINUTE = whole(1, 10**12, "whole number above 0")

ALLOWANCE_FIELDS = (
    Field(key="models", kind=PATTERNS, meaning="the models that may be asked; * is any text", default="`*`"),
    Field(key="budget_day", kind=BUDGET, meaning="the most that may be spent in a calendar day (UTC)", default="none"),
    Field(key="budget_month", kind=BUDGET, meaning="and in a calendar month", default="none"),
    Field(key="requests_per_minute", kind=_PER_MINUTE, meaning="requests in a minute, at most", default="no limit"),
    Field(
        key="tokens_per_minute",
        kind=_PER_MINUTE,
        meaning="tokens in a minute of calls to providers, in and out together",
        default="no limit",
    ),
    Field(
        key="at_limit",
        kind=one_of(get_args(AtLimit)),
        meaning="what becomes of a request beyond a budget or rate: refused, sent to downgrade_to, "
        "or answered from kept answers alone",
        default="`refuse`",
    ),
    Field(key="downgrade_to", kind=TEXT, meaning="the model that is then asked instead", default="none"),
    Field(
        key="alert_at",
        kind=SHARES,
        meaning="shares of a budget at which the operator is told, once each",
        default="`0.8, 1`",
    ),
    Field(
        key="pass_through",
        kind=FLAG,
        meaning="may ask what is passed through, which has no price and so keeps no budget",
        default="true only where nothing of the above limits",
    ),
)

ALLOWANCE = Section(heading="", meaning="What somebody may do.", noun=Allowance, fields=ALLOWANCE_FIELDS)
"""No section of the file by itself: the keys that the three of it below have in common."""

TENANT_FIELDS = (
    Field(key="scope", kind=TEXT, meaning='callers of one scope share answers; for share = "scope"', default="NAME"),
    Field(key="team", kind=NAME, meaning="the team of [teams] it belongs to", default="none"),
    Field(
        key="share",
        kind=one_of(get_args(Share)),
        meaning="with whom kept answers are shared: its scope, everybody, its team, nobody else, "
        "or within one end user or conversation only",
    ),
)

KEY = Section(
    heading="[keys.NAME]",
    meaning="A key that callers present. With none, only this machine may ask.",
    noun=ClientKey,
    fields=(
        Field(key="env", kind=VARIABLE, meaning="the environment variable that holds it", default="none"),
        Field(key="key", kind=SECRET, meaning="the key itself; better kept out of the file", default="none"),
        *TENANT_FIELDS,
        *ALLOWANCE_FIELDS,
    ),
)

TEAM = Section(
    heading="[teams.NAME]",
    meaning="What the keys of a team may do together, besides what each may do by itself.",
    noun=Team,
    fields=ALLOWANCE_FIELDS,
)

EVERYONE = Section(
    heading="[everyone]",
    meaning="What all callers may do together, those without a key included.",
    noun=Allowance,
    fields=ALLOWANCE_FIELDS,
)

ALERTS = Section(
    heading="[alerts]",
    meaning="Who is told of budgets that run out, besides the log.",
    noun=Plan,
    fields=(
        Field(
            key="webhook_env",
            kind=VARIABLE,
            meaning="the environment variable that holds the URL to which each alert is posted; the URL is a secret",
            default="none",
        ),
    ),
)
