"""Who saved what: splits one request's money by layer, so that spent and saved add up to what it would have cost.

Nothing here looks up a price. An amount without one is ``unpriced``, and no saving is ever claimed against it.
"""

from __future__ import annotations

import msgspec

from pennyworth.decide.tariff import tariff
from pennyworth.money import ZERO, Basis, Money, Price, Usage
from pennyworth.outcome import Layer, Served


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The money of one receipt: ``spent + Σ saved == would_have_cost``, always.

    Attributes:
        spent: all that was paid for this request, ``own`` included. ``basis``: how that is known.
        would_have_cost: the direct price. Where ``would_basis`` is ``unpriced`` it holds only what was in fact paid
            to providers, so that nothing is claimed.
        saved: by layer, negative where a layer cost more than it saved; zero entries are left out.
    """

    spent: Money
    basis: Basis
    would_have_cost: Money
    would_basis: Basis
    saved: dict[Layer, Money]
    own: Money


def cost(price: Price, usage: Usage) -> Money:
    """What a call of this usage costs. Where calls are many, keep the ``tariff`` that this makes anew."""
    return tariff(price).cost(usage)


def weakest(*bases: Basis) -> Basis:
    """How a sum is known: as its least certain part."""
    for basis in ("unpriced", "estimated", "metered"):
        if basis in bases:
            return basis
    return "none"


def books(
    served: Served,
    *,
    would_have_cost: Money,
    spent: Money,
    own: Money = ZERO,
    would_basis: Basis = "metered",
    basis: Basis = "metered",
    waited: bool = False,
) -> Books:
    """The money of a request that was ``served`` so.

    Args:
        would_have_cost: the direct price of the answer given; not read where its basis is ``unpriced``.
        spent: paid to providers for this request; where its basis is ``unpriced``, the part that is known.
        own: what our own work for it cost (embedding, judging): a negative saving of the layer ``own``.
        waited: the provider gave it at the price of its batch API.

    A saving is claimed only where both sides are known. A request that got no reply would have cost what was spent on
    it: the direct call would have failed the same way. Nor is anything claimed for a result that is given again: it was
    paid for, and any saving booked, the first time.
    """
    if "unpriced" in (basis, would_basis):
        would_have_cost, would_basis = spent, "unpriced"
    elif served in ("none", "replayed"):
        would_have_cost, would_basis = spent, basis
    saved: dict[Layer, Money] = {}
    if would_have_cost != spent:
        saved["batch" if waited else _layer(served)] = would_have_cost - spent
    if own:
        saved["own"] = -own
    return Books(
        spent=spent + own if own else spent,
        basis=basis,
        would_have_cost=would_have_cost,
        would_basis=would_basis,
        saved=saved,
        own=own,
    )


def _layer(served: Served) -> Layer:
    """Whoever gave the reply earned the difference; where a provider did, the choice of provider."""
    if served == "upstream" or served == "none" or served == "replayed":
        return "routing"
    return "exact" if served == "partial" else served
