"""Does this request take this optimisation? Switches per layer and route, at run time, in per cent, sticky by key."""

from __future__ import annotations

from pennyworth.outcome import Layer
from pennyworth.plan import OFF, ON, Plan, Route, Switch
from pennyworth.view import Control

_SLICES: dict[str, int] = {
    layer: 4 * place
    for place, layer in enumerate(("exact", "normalised", "semantic", "coalesced", "stale", "routing", "batch"))
}
"""Each layer draws from its own four bytes of the key, so that two layers at 10 % do not fall on the same requests."""


def allows(layer: Layer, route: Route, plan: Plan, control: Control, key: bytes) -> bool:
    """Whether the layer is on for this key. A key allowed at some per cent is allowed at every higher one."""
    if not (control.switches or route.switches or plan.switches):
        return True
    percent = effective(layer, route, plan, control).percent
    if percent >= 100.0:
        return True
    if not percent > 0.0:
        return False
    start = _SLICES.get(layer, 28)
    return int.from_bytes(key[start : start + 4], "big") * 100.0 < percent * 2**32


def effective(layer: Layer, route: Route, plan: Plan, control: Control) -> Switch:
    """The switch that counts: the run-time one for the route, for the layer, then the route's, the plan's, on."""
    if control.switches:
        found = control.switches.get(f"{layer}@{route.name}") or control.switches.get(layer)
        if found is not None:
            return found
    return route.switches.get(layer) or plan.switches.get(layer) or ON


def switch_from(text: str) -> Switch | None:
    """``off``, ``on``, or per cent (``25``, ``25%``) as people write it; ``None`` if it is none of these."""
    word = text.strip().lower()
    if word in ("on", "true"):
        return ON
    if word in ("off", "false"):
        return OFF
    try:
        percent = float(word.removesuffix("%").rstrip())
    except ValueError:
        return None
    return Switch(percent) if 0.0 <= percent <= 100.0 else None
