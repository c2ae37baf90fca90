"""The decisions that depend on the request and the Plan alone: target, route, verdict, keys.

All pure, so they are remembered: applications send the same bytes again and again, the door then hands in the same
``Request`` object, and nothing has to be decided twice until the Plan, the kill switch or the model's epoch changes.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from cachebox import LRUCache

from pennyworth.decide import admit, cacheable
from pennyworth.decide.admit import Refuse
from pennyworth.decide.cacheable import Verdict
from pennyworth.decide.key import Keyring, Keys
from pennyworth.engine.questions import question_of
from pennyworth.engine.saying import Saying, say
from pennyworth.errors import RequestError
from pennyworth.plan import Plan, Route, Target
from pennyworth.request import Request
from pennyworth.view import View

_SMALL = 4096
"""Requests with a larger body are not remembered, so that the memory stays bounded by bytes too."""


class Case(msgspec.Struct, frozen=True):
    """What was decided, and for what. Holding the request keeps its ``id`` from being used for another one."""

    request: Request
    plan: Plan
    enabled: bool
    epoch: int
    target: Target
    fallbacks: tuple[Target, ...]
    route: Route
    verdict: Verdict
    keys: Keys | None
    name: str
    """The first 16 hex digits of the exact key, "" without one: by it people find and purge."""
    form: str
    saying: Saying
    """The question's form (``neutral/1``, or its dialect), and how it is put to the target."""


class _Place(NamedTuple):
    """Where requests for one model go."""

    target: Target | Refuse
    route: Route
    fallbacks: tuple[Target, ...]


class Triage:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._cases: LRUCache[int, Case] = LRUCache(512)
        self._places: LRUCache[str, _Place] = LRUCache(10_000)
        self._plan: Plan | None = None

    def drop(self) -> None:
        """Forgets the requests it has decided."""
        self._cases.clear()

    def decide(self, request: Request, view: View) -> Case | Refuse:
        """Where the request goes and what the cache may do with it, or why it goes nowhere."""
        plan, control = view.plan, view.control
        enabled = plan.enabled and control.enabled
        epoch = control.revisions.get(request.model, 0)
        known = self._cases.get(id(request))
        if (
            known is not None
            and known.request is request
            and known.plan is plan
            and known.enabled is enabled
            and known.epoch == epoch
        ):
            return known
        case = self._decide(request, plan, enabled, epoch)
        if isinstance(case, Case) and len(request.body) <= _SMALL:
            self._cases.insert(id(request), case)
        return case

    def _decide(self, request: Request, plan: Plan, enabled: bool, epoch: int) -> Case | Refuse:
        target, route, fallbacks = self._place(request.model, plan)
        if isinstance(target, Refuse):
            return target
        try:
            saying = say(request, target, route)
        except RequestError as error:
            return Refuse(error.status, error.code, error.message, param=error.param)
        verdict = cacheable.verdict(request, route, enabled, target.model)
        named = verdict.look or verdict.keep or verdict.why == "sampled"
        # Of a batch each item is a question (``items``).
        question = (
            question_of(request, plan.cache, saying.request) if named and request.dialect != "embeddings" else None
        )
        keys = self._keyring.keys(request, question, target, route.name, epoch) if question else None
        name, form = keys.exact.hex()[:16] if keys else "", question.form if question else request.dialect
        return Case(request, plan, enabled, epoch, target, fallbacks, route, verdict, keys, name, form, saying)

    def _place(self, model: str, plan: Plan) -> _Place:
        if self._plan is not plan:
            self._places.clear()
            self._plan = plan
        found = self._places.get(model)
        if found is None:
            route = admit.route_for(model, plan)
            found = _Place(admit.resolve(model, plan), route, admit.fallbacks(route, plan))
            self._places.insert(model, found)
        return found
