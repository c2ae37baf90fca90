"""What would a gateway save on these requests? Decided by the code that the gateway decides with; nothing is sent.

It is the most the cache can do: as if each reply came whole and before the next request, and no answer ran out of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from pennyworth.decide import cacheable, lifetime, switches, tokens
from pennyworth.decide.admit import Refuse, resolve, route_for
from pennyworth.decide.key import Keyring
from pennyworth.decide.lifetime import Rules
from pennyworth.decide.tariff import Tariff
from pennyworth.engine.questions import question_of
from pennyworth.money import ZERO, Money, Usage
from pennyworth.outcome import Layer, Receipt
from pennyworth.plan import Plan, Route, Target
from pennyworth.request import Key, Request
from pennyworth.view import Control
from pennyworth.wire.dialects import CODECS

PriceOf = Callable[[Target], Tariff | None]


class Forecast(msgspec.Struct, kw_only=True):
    """What a file of requests comes to.

    Attributes:
        exact, near: repeats of a kept question, in the same bytes or typed differently.
        held: first askings that a kept answer of the present cache would serve.
        unique: questions that differ by more than how they were typed.
        never: why some are asked each time, and how many.
        direct, through: expected cost without a gateway and with one. ``unpriced``: requests without a price.
        estimated: the tokens were counted here, not by a provider.
    """

    requests: int = 0
    exact: int = 0
    near: int = 0
    held: int = 0
    unique: int = 0
    never: dict[str, int] = {}
    direct: Money = ZERO
    through: Money = ZERO
    priced: int = 0
    unpriced: int = 0
    estimated: bool = False

    @property
    def highest_hit_rate(self) -> float:
        return (self.exact + self.near) / self.requests if self.requests else 0.0


class Forecaster:
    """Takes requests one by one, in their order. ``answer_tokens``: how long an answer is taken to be. ``held``: whether
    the present cache holds an answer under a key."""

    def __init__(
        self,
        plan: Plan,
        keyring: Keyring,
        rules: Rules,
        price_of: PriceOf,
        answer_tokens: int,
        held: Callable[[Key], bool] = lambda _: False,
    ) -> None:
        self.result = Forecast(estimated=True)
        self._plan = plan
        self._keyring = keyring
        self._rules = rules
        self._price_of = price_of
        self._answer_tokens = answer_tokens
        self._held = held
        self._control = Control()
        self._kept: dict[Key, Key] = {}
        self._questions: set[Key] = set()

    def take(self, request: Request) -> None:
        target, route = resolve(request.model, self._plan), route_for(request.model, self._plan)
        if isinstance(target, Refuse):
            self.refuse(f"the gateway would refuse it ({target.code})")
            return
        result = self.result
        result.requests += 1
        tier = self._tier(request, target, route)
        result.exact += tier == "exact"
        result.near += tier == "near"
        result.held += tier == "held"
        self._cost(request, target, paid=not tier)

    def refuse(self, reason: str) -> None:
        """A request that would get no answer."""
        self.result.requests += 1
        self._never(reason)

    def _tier(self, request: Request, target: Target, route: Route) -> str:
        """Where the answer would come from: ``exact``, ``near``, ``held``, or "" for a provider."""
        verdict = cacheable.verdict(request, route, self._plan.enabled, target.model)
        question = question_of(request, self._plan.cache)
        keys = self._keyring.keys(request, question, target, route.name, 0)
        if keys is None or not (verdict.look or verdict.keep):
            self._never(verdict.reason if verdict.reason else "it cannot have a key")
            return ""
        if keys.normal not in self._questions:
            self._questions.add(keys.normal)
            self.result.unique += 1
        shares = self._allows("normalised", route, keys.exact)
        under = keys.normal if shares else keys.exact
        if verdict.look and (wording := self._kept.get(under)):
            if wording != keys.exact:
                return "near" if shares else ""
            if self._allows("exact", route, keys.exact):
                return "exact"
        elif verdict.look and self._held(under):
            self._kept[under] = keys.exact
            return "held"
        self._keep(request, route, verdict, under, keys.exact)
        return ""

    def _allows(self, layer: Layer, route: Route, key: Key) -> bool:
        return switches.allows(layer, route, self._plan, self._control, key)

    def _keep(self, request: Request, route: Route, verdict: cacheable.Verdict, under: Key, wording: Key) -> None:
        kind = lifetime.on_route(lifetime.classify(CODECS[request.dialect].question(request), self._rules), route)
        if not verdict.keep:
            self._never(verdict.reason)
        elif kind.ttl_s <= 0:
            self._never(f"{kind.name} questions are not kept")
        else:
            self._kept[under] = wording

    def _cost(self, request: Request, target: Target, *, paid: bool) -> None:
        made = self._price_of(target)
        if made is None:
            self.result.unpriced += 1
            return
        amount = made.cost(Usage(input=tokens.estimate_request(request.fields), output=self._output(request)))
        self.result.priced += 1
        self.result.direct += amount
        if paid:
            self.result.through += amount

    def _output(self, request: Request) -> int:
        limits = (request.fields.get(name) for name in ("max_completion_tokens", "max_tokens"))
        limit = next((limit for limit in limits if isinstance(limit, int) and limit > 0), self._answer_tokens)
        return min(limit, self._answer_tokens) * request.n

    def _never(self, reason: str) -> None:
        self.result.never[reason] = self.result.never.get(reason, 0) + 1


def of_receipts(receipts: Iterable[Receipt]) -> Forecast:
    """The same from receipts, oldest first. They hold keys and amounts but no questions: what was typed differently is
    known only where the gateway found it."""
    result = Forecast()
    seen: set[tuple[str, str]] = set()
    for receipt in sorted(receipts, key=lambda each: (each.at_s, each.id)):
        name = (receipt.scope, receipt.key)
        result.requests += 1
        if not receipt.key:
            reason = receipt.reason or "it had no key"
            result.never[reason] = result.never.get(reason, 0) + 1
        hit = bool(receipt.key) and name in seen
        near = not hit and receipt.served == "normalised"
        result.exact += hit
        result.near += near
        result.unique += bool(receipt.key) and not hit and not near
        seen.add(name)
        result.unpriced += receipt.would_basis == "unpriced"
        result.priced += receipt.would_basis != "unpriced"
        result.direct += receipt.would_have_cost
        result.through += ZERO if hit or near else receipt.would_have_cost
    return result
