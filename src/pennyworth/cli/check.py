"""``pennyworth check CONFIG``: everything that is wrong or odd about a configuration, before it is used."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from pennyworth.assemble import check_budgets, open_prices
from pennyworth.cli.exits import NOT_THERE, OK, USAGE
from pennyworth.cli.live import ask_all
from pennyworth.cli.options import AsJson
from pennyworth.cli.screen import Screen, add, listing, print_json
from pennyworth.clients import Allowance
from pennyworth.config import Finding, describe, load, problems
from pennyworth.config import check as look_over
from pennyworth.config.problems import dotted
from pennyworth.decide.admit import Refuse, resolve
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan
from pennyworth.ports import PriceBook

_STYLES: Mapping[str, str] = {"error": "bold red", "warning": "yellow", "ok": "green"}


def check(
    config: Annotated[
        str | None, Parameter(help="The TOML file; else PENNYWORTH_CONFIG, else the environment alone.")
    ] = None,
    /,
    *,
    live: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Ask each provider with its key, too.")
    ] = False,
    show: Annotated[bool, Parameter(negative=(), show_default=False, help="Show what is configured, too.")] = False,
    as_json: AsJson = False,
) -> int:
    """Look a configuration over before it is used.

    Reads the file, the environment, the disk and the price book, and no
    network unless asked: --live asks each provider for its list of models,
    which costs nothing, and says in words what stands in the way. Ends with 2
    if the gateway would not work as configured, with 3 if only a provider
    cannot be reached or refuses the key.

    For example:

        pennyworth check pennyworth.toml
        pennyworth check pennyworth.toml --live
        pennyworth check --show
        pennyworth check pennyworth.toml --json | jq '.findings[].key'
    """
    screen = Screen()
    refusals = [Finding("error", each.key, each.problem, each.fix) for each in problems(config, os.environ)]
    plan = None if refusals else load(config, os.environ)
    findings = refusals or [*look_over(plan, os.environ, config), *_prices(plan)] if plan else refusals
    asked = _ask(plan, screen) if live and plan else []
    code = _code(findings, asked)
    if as_json:
        print_json(
            {"usable": code != USAGE, "findings": findings, "live": asked, "plan": describe(plan) if plan else []}
        )
        return code
    screen.out.print(_table([*findings, *asked]))
    if show and plan:
        screen.out.print(_described(plan))
    _conclude(screen, config, findings + asked, code, live=live)
    return code


def _code(findings: list[Finding], asked: list[Finding]) -> int:
    if any(each.severity == "error" for each in findings):
        return USAGE
    return NOT_THERE if any(each.severity == "error" for each in asked) else OK


def _prices(plan: Plan) -> Iterator[Finding]:
    """Models named here that have no price, and a price book that has grown old."""
    now_s = time.time()
    try:
        book = open_prices(plan)
    except ConfigError as error:
        yield Finding("error", error.key, error.problem, error.fix)
        return
    yield from _unpriced(plan, book, now_s)
    try:
        check_budgets(plan, book, now_s)
    except ConfigError as error:
        yield Finding("error", error.key, error.problem, error.fix)
    for warning in book.warnings(now_s):
        yield Finding("warning", "prices", warning.rstrip("."))


def _unpriced(plan: Plan, book: PriceBook, now_s: float) -> Iterator[Finding]:
    what = "under a budget it is not asked" if any(may.budgets for may in _allowances(plan)) else "it is served"
    said: set[str] = set()
    for name in _names(plan):
        target = resolve(name, plan)
        if isinstance(target, Refuse) or target.price or target.name in said:
            continue
        said.add(target.name)
        provider = target.provider
        at = provider.price_provider or provider.name
        if book.price(at, target.model, now_s) is None:
            message = f"no price is known for {at}/{target.model}: {what}, and no saving is claimed for it"
            whose = f", or name by {dotted('providers', provider.name)}.price_provider the company whose list has it"
            fix = f"Give it a price here or in an overlay{'' if provider.preset else whose} (docs/prices.md)."
            yield Finding("warning", f"{dotted('models', name)}.price", message, fix)


def _names(plan: Plan) -> Iterator[str]:
    """The models that are written out in full: a pattern says nothing of which there are."""
    written = [*plan.models, *(name for provider in plan.providers for name in provider.models)]
    written += [name for route in plan.routes for name in route.fallbacks]
    written += [may.downgrade_to for may in _allowances(plan) if may.downgrade_to]
    return (name for name in dict.fromkeys(written) if "*" not in name)


def _allowances(plan: Plan) -> list[Allowance]:
    return [plan.everyone, *(team.allowance for team in plan.teams), *(key.allowance for key in plan.keys)]


def _ask(plan: Plan, screen: Screen) -> list[Finding]:
    if not plan.providers:
        return []
    with screen.err.status(f"asking {len(plan.providers)} provider(s)"):
        return asyncio.run(ask_all(plan))


def _table(findings: list[Finding]) -> Table:
    table = listing("", "key", "finding", whole=("",))
    for each in findings:
        said = Text(each.message)
        add(
            table,
            Text(each.severity, style=_STYLES[each.severity]),
            each.key,
            said.append(f". {each.fix}") if each.fix else said,
        )
    table.columns[1].overflow = "fold"
    return table


def _described(plan: Plan) -> Table:
    table = listing("part", "name", "is", "note", title="What is configured")
    for row in describe(plan):
        add(table, row.part, row.name, row.value, row.note)
    return table


def _conclude(screen: Screen, config: str | None, findings: list[Finding], code: int, *, live: bool) -> None:
    wrong = sum(each.severity == "error" for each in findings)
    odd = sum(each.severity == "warning" for each in findings)
    verdict = {OK: "It can be used", USAGE: "It cannot be used as it is", NOT_THERE: "Not every provider can be asked"}
    screen.out.print(f"{verdict[code]}: {wrong} error(s), {odd} warning(s).")
    file = f" {config}" if config else ""
    if code == OK and not live:
        screen.next(("ask the providers, too", f"pennyworth check{file} --live"))
    elif code == OK:
        screen.next(("run it", "pennyworth serve" + (f" --config {config}" if config else "")))
