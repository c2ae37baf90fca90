"""What keys, teams and everybody may do: allowances read and made of what their sections hold, and checked together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pennyworth.clients import Allowance, Budget, Team
from pennyworth.config.kinds import NAME
from pennyworth.config.problems import dotted
from pennyworth.config.reading import Reading, suggestion
from pennyworth.config.schema_tenants import ALERTS, ALLOWANCE_FIELDS, EVERYONE, TEAM
from pennyworth.decide import admit, glob
from pennyworth.plan import Plan
from pennyworth.secret import Secret


def allowance(reading: Reading, given: dict[str, Any], at: str) -> Allowance:
    """Takes its own keys out of what a section holds."""
    own = {field.key: given.pop(field.key) for field in ALLOWANCE_FIELDS if field.key in given}
    day, month = own.pop("budget_day", None), own.pop("budget_month", None)
    budgets = [Budget(period="day", amount=day[0], currency=day[1])] if day else []
    budgets += [Budget(period="month", amount=month[0], currency=month[1])] if month else []
    made = Allowance(budgets=tuple(budgets), **own)
    _check_downgrade(reading, made, at)
    return made


def teams(reading: Reading, value: object) -> tuple[Team, ...]:
    found = []
    for name, table in reading.named(value, "teams", NAME).items():
        at = dotted("teams", name)
        found.append(Team(name=name, allowance=allowance(reading, reading.section(TEAM, table, at), at)))
    return tuple(found)


def everyone(reading: Reading, value: object) -> Allowance:
    table = reading.table(value, "everyone")
    return allowance(reading, reading.section(EVERYONE, table, "everyone"), "everyone")


def alert_webhook(reading: Reading, value: object) -> Secret:
    """The URL that alerts are posted to. Whoever knows it can post there too, so it is treated as a key."""
    variable = reading.section(ALERTS, reading.table(value, "alerts"), "alerts").get("webhook_env")
    if not variable:
        return Secret("")
    url = reading.variable(variable)
    if not url:
        reading.wrong("alerts.webhook_env", f"the environment variable {variable} is not set", "Set it to the URL.")
    elif not _is_url(url):
        problem = "the value (not shown) is not an http or https URL"
        reading.wrong(variable, problem, 'Copy it again, as in "https://hooks.slack.com/…".')
    return Secret(url)


def check_tenant(reading: Reading, at: str, given: Mapping[str, Any], teams: Iterable[str]) -> None:
    """A key's team must exist, and what it shares answers by must be there."""
    names, team, share = list(teams), given.get("team", ""), given.get("share")
    if team and team not in names:
        reading.unknown(team, names, _under(at, "team"), "team")
    if share == "team" and not team:
        problem = "kept answers are to be shared with its team, and it has none"
        reading.wrong(_under(at, "share"), problem, 'Give it a team, or share = "key".')
    if "scope" in given and share not in ("scope", None):
        problem = f'it has no effect while share is "{share}"'
        reading.wrong(_under(at, "scope"), problem, 'Remove it, or set share = "scope".')


def refuse_unreachable(reading: Reading, plan: Plan) -> None:
    """A model to downgrade to that no provider offers would turn each downgrade into a failure."""
    for at, made in _allowances(plan):
        check_reachable(reading, at, made, plan)


def check_reachable(reading: Reading, at: str, made: Allowance, plan: Plan) -> None:
    if made.downgrade_to and plan.providers:
        refusal = admit.resolve(made.downgrade_to, plan)
        if isinstance(refusal, admit.Refuse) and refusal.code == "model_not_found":
            problem = f"no provider offers a model named {made.downgrade_to!r}"
            reading.wrong(_under(at, "downgrade_to"), problem, suggestion(made.downgrade_to, _offered(plan)))


def _check_downgrade(reading: Reading, made: Allowance, at: str) -> None:
    key = _under(at, "downgrade_to")
    if made.at_limit == "downgrade" and not made.downgrade_to:
        reading.wrong(key, 'it is missing, and at_limit is "downgrade"', "Name the model that is asked instead.")
    elif made.at_limit != "downgrade" and made.downgrade_to:
        problem = f'it has no effect while at_limit is "{made.at_limit}"'
        reading.wrong(key, problem, 'Set at_limit = "downgrade", or remove it.')
    elif made.downgrade_to and not glob.any_matches(made.models, made.downgrade_to):
        problem = f"{made.downgrade_to!r} is not among the models that may be asked ({', '.join(made.models)})"
        reading.wrong(key, problem, "Add it to models, or name one of those.")


def _under(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _allowances(plan: Plan) -> Iterator[tuple[str, Allowance]]:
    yield from ((dotted("keys", key.name), key.allowance) for key in plan.keys)
    yield from ((dotted("teams", team.name), team.allowance) for team in plan.teams)
    yield "everyone", plan.everyone


def _offered(plan: Plan) -> list[str]:
    """The models that are named in full somewhere."""
    named = [name for provider in plan.providers for name in provider.models if "*" not in name]
    return list(dict.fromkeys([*plan.models, *named]))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isascii() and text.isprintable()
