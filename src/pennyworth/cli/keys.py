"""``pennyworth keys``: virtual keys made, listed, rotated and revoked, in the state directory itself.

A secret is printed once, to standard output and alone, and is nowhere afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pennyworth.assemble import open_prices
from pennyworth.cli.exits import OK, CommandError, not_there, wrong_usage
from pennyworth.cli.key_table import table
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, plan_at, same_books
from pennyworth.cli.screen import Screen, print_json
from pennyworth.clients import Allowance, KeySet
from pennyworth.config.amounts import POSITIVE_DURATION, show_duration
from pennyworth.config.problems import UnusableError
from pennyworth.config.virtual import taken, wanted
from pennyworth.decide import keys as virtual
from pennyworth.decide.keys import Wanted, sealer
from pennyworth.errors import ConfigError, RequestError
from pennyworth.plan import Plan
from pennyworth.server.key_rows import row
from pennyworth.state_dir import KEYS, MEMORY, new_client_key, open_keybook, open_keyring

keys = App(
    name="keys",
    help="""Make, list, rotate and revoke the keys that callers show.

They work on the state directory itself, whether or not a gateway runs on it;
one that runs goes by a change within a second.

For example:

    pennyworth keys create alice --team search --budget-day "20 USD"
    pennyworth keys list
    pennyworth keys rotate alice --grace 24h
    pennyworth keys revoke alice""",
)

Name = Annotated[str, Parameter(help="The key's name.")]
Models = Annotated[
    list[str] | None, Parameter(negative=(), help='A model it may ask, or a pattern such as "gpt-*"; may be repeated.')
]
Shares = Annotated[
    list[float] | None, Parameter(negative=(), help="A share of a budget at which you are told, as 0.8.")
]


@keys.command
def create(
    name: Annotated[str, Parameter(help="Its name, which stands on receipts; used once and for good.")],
    /,
    *,
    team: Annotated[str | None, Parameter(help="The team of [teams] it belongs to.")] = None,
    share: Annotated[
        str | None, Parameter(help="Who shares its kept answers: key, team, scope, global, user or conversation.")
    ] = None,
    scope: Annotated[str | None, Parameter(help="The named scope it shares answers with.")] = None,
    models: Models = None,
    expires: Annotated[str | None, Parameter(help='It ends by itself after so long, such as "30d".')] = None,
    budget_day: Annotated[str | None, Parameter(help='The most a day (UTC), such as "20 USD".')] = None,
    budget_month: Annotated[str | None, Parameter(help="The most a month.")] = None,
    requests_per_minute: Annotated[int | None, Parameter(help="Requests a minute, at most.")] = None,
    tokens_per_minute: Annotated[int | None, Parameter(help="Tokens a minute, at most.")] = None,
    at_limit: Annotated[str | None, Parameter(help="Beyond a limit: refuse, downgrade or cache_only.")] = None,
    downgrade_to: Annotated[str | None, Parameter(help="The model that is asked instead, beyond a limit.")] = None,
    alert_at: Shares = None,
    pass_through: Annotated[
        bool | None, Parameter(help="It may ask what has no price and is passed through, or may not.")
    ] = None,
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """Make a key. Its secret is printed once, and cannot be shown again.

    For example:

        pennyworth keys create alice
        pennyworth keys create ci --models gpt-4o-mini --expires 30d --json | jq -r .secret
    """
    given = {
        "name": name,
        "team": team,
        "share": share,
        "scope": scope,
        "models": models,
        "expires": expires,
        "budget_day": budget_day,
        "budget_month": budget_month,
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "at_limit": at_limit,
        "downgrade_to": downgrade_to,
        "alert_at": alert_at,
        "pass_through": pass_through,
    }
    plan, now_s, secret = _plan(config, state_dir), time.time(), new_client_key()
    asked = _wanted({key: value for key, value in given.items() if value is not None}, plan)
    key = virtual.made(asked, secret, sealer(open_keyring(plan)), now_s)
    found = _change(plan, lambda row: virtual.create(row, key, taken(plan)))
    screen = Screen()
    _show(found, name, now_s, screen, as_json, secret)
    if not as_json:
        if len(found.keys) == 1 and not plan.keys:
            screen.warn("this is the first key: from now on callers need one, on this machine too")
            if any(provider.forward_caller for provider in plan.providers):
                screen.warn("forward_caller is over: callers show a key of this gateway, not one of a provider")
        _warn_of_currencies(asked.allowance, plan, now_s, screen)
        screen.next(("all keys", f"pennyworth keys list{same_books(config, state_dir)}"))
    return OK


@keys.command(name="list")
def listed(*, config: ConfigPath = None, state_dir: StateDir = None, as_json: AsJson = False) -> int:
    """List the virtual keys, the revoked ones too. No secret is shown: there is none to show.

    For example:

        pennyworth keys list
    """
    plan, now_s = _there(_plan(config, state_dir)), time.time()
    with closing(open_keybook(plan)) as book:
        found = book.read()
    if as_json:
        print_json({"keys": [row(key, now_s) for _, key in sorted(found.keys.items())], "version": found.version})
        return OK
    Screen().out.print(table(found, now_s))
    return OK


@keys.command
def rotate(
    name: Name,
    /,
    *,
    grace: Annotated[str | None, Parameter(help='So long the old secret holds too, such as "24h".')] = None,
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """Give a key another secret. The old one ends at once, or after a time of grace.

    For example:

        pennyworth keys rotate alice --grace 24h
    """
    plan, now_s, secret, grace_s = _there(_plan(config, state_dir)), time.time(), new_client_key(), _grace(grace)
    seal = sealer(open_keyring(plan))
    found = _change(plan, lambda row: virtual.rotate(row, name, secret, seal, now_s, grace_s))
    screen = Screen()
    _show(found, name, now_s, screen, as_json, secret)
    if not as_json:
        old = f"holds for {show_duration(grace_s)} more" if grace_s else "is over within a second"
        screen.err.print(f"The old secret {old}.", markup=False)
    return OK


@keys.command
def revoke(name: Name, /, *, config: ConfigPath = None, state_dir: StateDir = None, as_json: AsJson = False) -> int:
    """End a key for good. Running workers refuse it within a second.

    For example:

        pennyworth keys revoke alice
    """
    plan, now_s = _there(_plan(config, state_dir)), time.time()
    found = _change(plan, lambda row: virtual.revoke(row, name, now_s))
    _show(found, name, now_s, Screen(), as_json)
    return OK


def _plan(config: str | None, state_dir: str | None) -> Plan:
    plan = plan_at(config, state_dir)
    if plan.state_dir == MEMORY:
        fix = "Use its admin port instead: POST /api/v1/keys."
        raise wrong_usage('state_dir is ":memory:": its keys live in the running gateway alone.', fix)
    return plan


def _there(plan: Plan) -> Plan:
    """A state directory with keys in it: looking for them makes none."""
    folder = Path(plan.state_dir)
    if not (folder / KEYS).exists():
        fix = "Name the right one by --state-dir or --config, or make the first key: pennyworth keys create NAME"
        raise not_there(f"There are no virtual keys in {str(folder.absolute())!r}.", fix)
    return plan


def _warn_of_currencies(may: Allowance, plan: Plan, now_s: float, screen: Screen) -> None:
    """The file read here may not be the gateway's, so the key is made; but it may be one that is refused everything."""
    foreign = {budget.currency for budget in may.budgets} - {"USD"}
    prices = open_prices(plan) if foreign else None
    for currency in sorted(foreign):
        if prices is not None and prices.exchange(currency, now_s) is None:
            where = f"[currency.{currency}] in the file that prices.overlay names (docs/prices.md)"
            screen.warn(f"no rate of {currency} is configured here: this key is refused (503) until there is {where}")


_NO_TEAMS = (
    "Name the configuration that has [teams.NAME] by --config, or by PENNYWORTH_CONFIG; the one read here has no team."
)


def _wanted(given: Mapping[str, object], plan: Plan) -> Wanted:
    try:
        return wanted(given, plan)
    except ConfigError as error:
        option = "NAME" if error.key == "name" else "--" + error.key.replace("_", "-")
        fix = _NO_TEAMS if error.key == "team" and not plan.teams and given.get("team") else error.fix
        raise wrong_usage(f"{option}: {error.problem}. No key was made.", fix) from error


def _change(plan: Plan, apply: Callable[[KeySet], KeySet]) -> KeySet:
    with closing(open_keybook(plan)) as book:
        try:
            return book.change(apply)
        except RequestError as error:
            raise CommandError(
                error.message, "See: pennyworth keys list", code=3 if error.status == 404 else 1
            ) from error


def _grace(text: str | None) -> float:
    if text is None:
        return 0.0
    try:
        return float(POSITIVE_DURATION.read(text))
    except UnusableError as error:
        raise wrong_usage(f"--grace: {error.problem}. Nothing was changed.", error.fix) from error


def _show(found: KeySet, name: str, now_s: float, screen: Screen, as_json: bool, secret: str = "") -> None:
    """The secret on standard output, alone; what it is, beside it."""
    shown = row(found.keys[name], now_s)
    if as_json:
        print_json({**({"secret": secret} if secret else {}), **shown, "version": found.version})
    elif secret:
        screen.out.print(secret, markup=False, soft_wrap=True)
        screen.err.print(
            f"The secret of the key {name}. It is shown this once: keep it where it is used.", markup=False
        )
    else:
        screen.out.print(f"The key {name} is {shown['state']}. Running workers go by it within a second.", markup=False)
