"""``replay --dry-run``: reads requests as the gateway would, and prints what it could save. Nothing is sent."""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Iterator

from pennyworth.assemble import open_prices
from pennyworth.cli.amounts import share, usd
from pennyworth.cli.forecast import Forecast, Forecaster, PriceOf, of_receipts
from pennyworth.cli.replay_file import Ask, Contents
from pennyworth.cli.screen import Fact, Screen
from pennyworth.config import with_sandbox
from pennyworth.decide.key import Keyring
from pennyworth.decide.lifetime import compile_rules
from pennyworth.decide.tariff import Tariff, tariff
from pennyworth.errors import RequestError
from pennyworth.plan import Plan, Target
from pennyworth.request import Caller
from pennyworth.server.admin_json import plain
from pennyworth.wire.chat.request import read_request


def forecast_of(plan: Plan, contents: Contents, answer_tokens: int, screen: Screen) -> Forecast:
    """What the file comes to; a bar shows how far it has been read."""
    if contents.receipts:
        return of_receipts(contents.receipts)
    plan = plan if plan.providers else with_sandbox(plan, "http://sandbox.invalid/v1")
    rules = compile_rules(plan.lifetimes, plan.default_lifetime)
    forecaster = Forecaster(plan, Keyring(secrets.token_bytes(32)), rules, prices_of(plan), answer_tokens)
    with screen.progress() as progress:
        task = progress.add_task("reading", total=len(contents.asks), note="")
        for ask in contents.asks:
            _take(forecaster, ask, plan)
            progress.advance(task)
    return forecaster.result


def _take(forecaster: Forecaster, ask: Ask, plan: Plan) -> None:
    try:
        forecaster.take(read_request(ask.body, {}, Caller("replay"), max_depth=plan.limits.max_depth))
    except RequestError as error:
        forecaster.refuse(f"the gateway would refuse it ({error.code})")


def prices_of(plan: Plan) -> PriceOf:
    book, now_s = open_prices(plan), time.time()

    @functools.cache
    def price_of(target: Target) -> Tariff | None:
        at = target.provider.price_provider or target.provider.name
        price = target.price or book.price(at, target.model, now_s)
        return tariff(price) if price else None

    return price_of


def facts_of(forecast: Forecast, *, priced: bool, answer_tokens: int) -> Iterator[Fact]:
    """For people. ``priced``: somebody said which models are asked."""
    yield "requests", f"{forecast.requests:,}", ""
    yield "unique questions", f"{forecast.unique:,}", "each must be asked once"
    yield "exact repeats", f"{forecast.exact:,}", "of a question whose answer may be kept"
    yield "near repeats", f"{forecast.near:,}", "the same question, typed differently (spaces, widths)"
    for reason, number in sorted(forecast.never.items(), key=lambda entry: -entry[1]):
        yield "asked each time", f"{number:,}", reason
    yield "highest hit rate", f"{100 * forecast.highest_hit_rate:.1f} %", "that this file allows"
    if priced and forecast.priced:
        saved = forecast.direct - forecast.through
        yield "cost without", usd(forecast.direct), _basis(forecast, answer_tokens)
        yield "cost with", usd(forecast.through), f"{share(saved.pico, forecast.direct.pico)} saved"
    elif not priced:
        yield "cost", "–", "add --model to see it"
    if forecast.unpriced and priced:
        yield "unpriced", f"{forecast.unpriced:,}", "requests of models without a price, not counted above"


def _basis(forecast: Forecast, answer_tokens: int) -> str:
    return f"estimated, at {answer_tokens} tokens an answer" if forecast.estimated else "by the receipts"


def to_json(forecast: Forecast, *, priced: bool) -> dict[str, object]:
    """For programs; amounts are null where nobody said which models are asked."""
    told = {**plain(forecast), "highest_hit_rate": round(forecast.highest_hit_rate, 6)}
    return told if priced else {**told, "direct": None, "through": None}
