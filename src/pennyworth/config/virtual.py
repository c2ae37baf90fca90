"""A virtual key as it is asked for, on the command line or the admin port, read by the rules of ``[keys.NAME]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pennyworth.clients import VirtualKey
from pennyworth.config.amounts import POSITIVE_DURATION
from pennyworth.config.kinds import NAME
from pennyworth.config.reading import Field, Reading, Section
from pennyworth.config.schema_tenants import ALLOWANCE_FIELDS, TENANT_FIELDS
from pennyworth.config.tenants import allowance, check_reachable, check_tenant
from pennyworth.decide.keys import Wanted
from pennyworth.plan import Plan

_EXPIRES = Field(key="expires", attr="lives_s", kind=POSITIVE_DURATION, meaning="it ends by itself after so long")

VIRTUAL_KEY = Section(
    heading="",
    meaning="A virtual key.",
    noun=VirtualKey,
    fields=(
        Field(key="name", kind=NAME, meaning="each its own, for good", required=True),
        _EXPIRES,
        *TENANT_FIELDS,
        *ALLOWANCE_FIELDS,
    ),
)
"""No section of the file: such keys are made while it runs."""


def wanted(table: Mapping[str, object], plan: Plan) -> Wanted:
    """The key that is asked for, under the same names as in the configuration. Raises ``ConfigError``."""
    reading = Reading({})
    given: dict[str, Any] = reading.section(VIRTUAL_KEY, table, "")
    check_tenant(reading, "", given, [team.name for team in plan.teams])
    may = allowance(reading, given, "")
    check_reachable(reading, "", may, plan)
    reading.finish()
    share = given.pop("share", "scope" if "scope" in given else "key")
    return Wanted(share=share, allowance=may, **({"scope": given["name"]} | given))


def taken(plan: Plan) -> set[str]:
    """Names that no virtual key may bear: those of the configuration, and of the key from the environment."""
    return {key.name for key in plan.keys} | {"environment"}
