"""``pennyworth prices MODEL``: what a model costs now, where that is known from, and what a request would cost."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pennyworth.assemble import open_prices
from pennyworth.cli.amounts import exact_usd
from pennyworth.cli.exits import NOT_THERE, OK
from pennyworth.cli.options import AsJson, ConfigPath, plan_from
from pennyworth.cli.screen import Screen, add, facts, listing, print_json
from pennyworth.decide.admit import Refuse, resolve
from pennyworth.decide.tariff import tariff
from pennyworth.money import Money, Price, Usage
from pennyworth.plan import Plan
from pennyworth.ports import PriceBook
from pennyworth.prices.explain import describe
from pennyworth.prices.genai import GenaiPrices
from pennyworth.server.admin_json import money

_MOST_OFFERS = 12


class Offer(msgspec.Struct, frozen=True):
    """A model at a company, by the price book's names, and its price there if it has one."""

    provider: str
    model: str
    price: Price | None

    def cost(self, sample: Usage) -> Money | None:
        return tariff(self.price).cost(sample) if self.price else None


def prices(
    model: Annotated[str, Parameter(help='Its name, or "provider/name".')],
    /,
    *,
    provider: Annotated[
        str | None, Parameter(help="Whose price; else the provider that the configuration asks.")
    ] = None,
    tokens_in: Annotated[int, Parameter(name="--input", help="Input tokens of the sample request.")] = 1000,
    tokens_out: Annotated[int, Parameter(name="--output", help="Output tokens of the sample request.")] = 500,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> int:
    """What a model costs, and how we know.

    The configuration's own price for the model comes first, then the operator's
    price overlay, then the published book. A model without a price is served
    all the same, counted apart, and no saving is claimed for it: that ends
    with 3.

    For example:

        pennyworth prices gpt-4o-mini
        pennyworth prices claude-sonnet-5 --provider anthropic
        pennyworth prices deepseek/deepseek-chat --input 8000 --output 300
        pennyworth prices gpt-4o --json | jq .price.source
    """
    screen = Screen()
    plan, now_s = plan_from(config), time.time()
    book = open_prices(plan)
    offer = _offer(plan, book, model, provider, now_s)
    sample = Usage(input=max(tokens_in, 0), output=max(tokens_out, 0))
    others = _elsewhere(plan, offer, now_s)
    warnings = list(book.warnings(now_s))
    if as_json:
        print_json(_as_json(offer, sample, others, warnings))
    else:
        _show(screen, offer, sample, others)
        for warning in warnings:
            screen.warn(warning)
    return OK if offer.price else NOT_THERE


def _offer(plan: Plan, book: PriceBook, model: str, provider: str | None, now_s: float) -> Offer:
    """As the gateway would price it; without a provider for it, as the book's first guess."""
    if provider is None:
        target = resolve(model, plan) if plan.providers else None
        if target is not None and not isinstance(target, Refuse):
            at = target.provider.price_provider or target.provider.name
            return Offer(at, target.model, target.price or book.price(at, target.model, now_s))
        prefix, slash, name = model.partition("/")
        found = book.price(prefix, name, now_s) if slash else None
        if found:
            return Offer(prefix, name, found)
        sellers = [at for at, _ in GenaiPrices().everywhere(model, now_s)]
        provider = "openai" if "openai" in sellers or not sellers else sellers[0]
    return Offer(provider, model, book.price(provider, model, now_s))


def _elsewhere(plan: Plan, offer: Offer, now_s: float) -> list[Offer]:
    """Who else sells it, by the published book."""
    sold = GenaiPrices(plan.prices.stale_after_days).everywhere(offer.model, now_s)
    return [Offer(provider, offer.model, price) for provider, price in sold if provider != offer.provider]


def _show(screen: Screen, offer: Offer, sample: Usage, others: list[Offer]) -> None:
    rows = [
        (label, text, "") for label, text in describe(offer.price, offer.provider, offer.model) if label != "example"
    ]
    if (cost := offer.cost(sample)) is not None:
        rows.append(("example", f"{_words(sample)}: {exact_usd(cost)}", ""))
    screen.out.print(facts("Price", rows))
    if others:
        screen.out.print()
        elsewhere = listing("sold elsewhere by", "the example costs", right=("the example costs",))
        for other in sorted(others, key=lambda each: each.cost(sample) or Money())[:_MOST_OFFERS]:
            add(elsewhere, other.provider, exact_usd(other.cost(sample) or Money()))
        screen.out.print(elsewhere)


def _words(sample: Usage) -> str:
    return f"{sample.input:,} tokens in, {sample.output:,} out"


def _as_json(offer: Offer, sample: Usage, others: list[Offer], warnings: list[str]) -> dict[str, object]:
    cost = offer.cost(sample)
    return {
        "provider": offer.provider,
        "model": offer.model,
        "price": msgspec.to_builtins(offer.price) if offer.price else None,
        "sample": {"input": sample.input, "output": sample.output, "cost": money(cost) if cost is not None else None},
        "elsewhere": {other.provider: money(other.cost(sample) or Money()) for other in others},
        "warnings": warnings,
    }
