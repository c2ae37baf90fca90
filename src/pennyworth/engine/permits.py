"""What ``decide.allowed`` has said of a key and a model, remembered for as long as the same tenants stand: 0.3 µs a hit
where deciding it anew takes 3.5."""

from __future__ import annotations

from typing import NamedTuple

from cachebox import LRUCache

from pennyworth.decide import allowed
from pennyworth.decide.admit import Refuse
from pennyworth.engine.triage import Case
from pennyworth.plan import Target
from pennyworth.view import Grant, Tenants, View


class Permit(NamedTuple):
    """``barred``: why this key may not ask this model, if so. ``fallbacks``: who may stand in for it; ``alone``: they are
    not those of everybody, so no call is shared that one of the others might answer."""

    barred: Refuse | None
    fallbacks: tuple[Target, ...]
    alone: bool


class Permits:
    """What each key may ask. ``None``: any model, as nearly all may."""

    def __init__(self) -> None:
        self._tenants: Tenants | None = None
        self._known: LRUCache[tuple[str, str], Permit] = LRUCache(2_000)

    def of(self, grant: Grant | None, case: Case, view: View) -> Permit | None:
        if grant is not None and grant.any_model:
            return None
        if self._tenants is not view.tenants:  # another Plan comes with other tenants
            self._known.clear()
            self._tenants = view.tenants
        request = case.request
        name = (request.caller.client, request.model)
        known = self._known.get(name)
        if known is None:
            known = _permit(grant, case, view)
            self._known.insert(name, known)
        return known


def _permit(grant: Grant | None, case: Case, view: View) -> Permit:
    barred = allowed.refusal(grant, case.request.model, case.target.name)
    if grant is None or barred is not None:
        return Permit(barred, (), alone=True)
    within = allowed.fallbacks(grant, case.route, view.plan)
    return Permit(None, within, within != case.fallbacks)
