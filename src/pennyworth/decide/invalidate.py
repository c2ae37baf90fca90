"""What a change at run time does to the control row: purges, the kill switch, switches, revisions, fingerprints.

Every function maps a row to a row and returns the very same one where nothing changes. The row's ``version`` is not
touched: whoever applies the change (``ControlRow.change``) raises it, once, atomically.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final, get_args

from msgspec.structs import replace

from pennyworth.errors import RequestError
from pennyworth.outcome import Layer
from pennyworth.plan import Switch
from pennyworth.view import Control, Select
from pennyworth.whom import Sort

MOST_PURGES: Final = 1000
"""Rows in ``Control.purges``. Every worker reads the row several times a second, so it stays small."""
_MOST_CHARS = 512
_KEY_DIGITS = 16
_LAYERS = tuple(layer for layer in get_args(Layer) if layer != "own")


def purge(control: Control, by: Select, value: str, now_s: float) -> Control:
    """Answers asked for until now that match are dead from now on; what is asked for afterwards lives.

    Raises:
        RequestError: an unknown selector, or a value it cannot select by.
    """
    match by:
        case "all":
            _need(value == "", value, "purging everything takes no value")
            return _everything(control)
        case "older_than":
            return _older(control, value, now_s)
        case "key":
            return _selected(control, "key:" + _digits(value))
        case "model" | "tag" | "scope" | "user" | "client":
            _need(0 < len(value) <= _MOST_CHARS, value, f"give the {by} to purge, 1 to {_MOST_CHARS} characters")
            return _selected(control, f"{by}:{value}")
        case other:
            raise _bad(f"purge by {str(other)[:40]!r} is unknown. Use one of {', '.join(get_args(Select))}.")


def forget(control: Control, sort: Sort, value: str, now_s: float) -> Control:
    """A purge of what they asked for; and of the requests under way, nothing of theirs is to be written down."""
    purged = purge(control, sort, value, now_s)
    return replace(purged, forgotten=_bounded({**control.forgotten, f"{sort}:{value}": purged.epoch}))


def enable(control: Control) -> Control:
    """The kill switch on: optimisations work. What was kept before it went off is still there."""
    return control if control.enabled else replace(control, enabled=True)


def disable(control: Control) -> Control:
    """The kill switch off: a plain proxy from the next request on."""
    return replace(control, enabled=False) if control.enabled else control


def set_switch(control: Control, where: str, switch: Switch | None, routes: Collection[str]) -> Control:
    """Overrides a switch at run time; ``None`` gives it back to the configuration.

    ``where``: ``layer`` or ``layer@route``. ``routes``: the names of the routes there are, so that a slip of the pen
    is an error and not a switch that does nothing.
    """
    layer, at, route = where.partition("@")
    _need(layer in _LAYERS, where, f"the layer must be one of {', '.join(_LAYERS)}")
    _need(not at or route in routes, where, f"the route must be one of {', '.join(sorted(routes))}")
    _need(switch is None or 0.0 <= switch.percent <= 100.0, str(switch), "per cent go from 0 (off) to 100 (on)")
    if control.switches.get(where) == switch:
        return control
    switches = {name: kept for name, kept in control.switches.items() if name != where}
    if switch is not None:
        switches[where] = switch
    return replace(control, switches=switches)


def bump_revision(control: Control, model: str) -> Control:
    """A new epoch of a model: its kept answers have keys nobody asks for any more."""
    _need(0 < len(model) <= _MOST_CHARS, model, f"give the model, 1 to {_MOST_CHARS} characters")
    return replace(control, revisions={**control.revisions, model: control.revisions.get(model, 0) + 1})


def see_fingerprint(control: Control, model: str, fingerprint: str) -> Control:
    """A reply's ``system_fingerprint``, of a model whose route watches it. Another one than last time starts an epoch.

    For providers that serve one fingerprint at a time. One that rotates among several would start epochs without end
    and never get a hit: leave ``fingerprint_epochs`` off there and set ``revision`` instead.
    """
    last = control.fingerprints.get(model)
    if not fingerprint or fingerprint == last:
        return control
    seen = replace(control, fingerprints={**control.fingerprints, model: fingerprint})
    return seen if last is None else bump_revision(seen, model)


def _everything(control: Control) -> Control:
    epoch = control.epoch + 1
    return replace(control, epoch=epoch, purges={"all:": epoch})  # it makes every earlier purge redundant


def _selected(control: Control, name: str) -> Control:
    epoch = control.epoch + 1
    return replace(control, epoch=epoch, purges=_bounded({**control.purges, name: epoch}))


def _older(control: Control, value: str, now_s: float) -> Control:
    try:
        before_s = float(value)
    except ValueError:
        before_s = math.nan
    _need(0.0 < before_s <= now_s, value, "older_than takes a Unix time in seconds, not later than now")
    return replace(control, epoch=control.epoch + 1, older_than_s=max(before_s, control.older_than_s))


def _bounded(purges: dict[str, int]) -> dict[str, int]:
    """Too many purges: the older half becomes one purge of everything asked for before them. That throws away more
    than was asked, never less."""
    if len(purges) <= MOST_PURGES:
        return purges
    oldest_first = sorted(purges.items(), key=lambda entry: entry[1])
    dropped, kept = oldest_first[: MOST_PURGES // 2], oldest_first[MOST_PURGES // 2 :]
    bounded = dict(kept)
    bounded["all:"] = max(bounded.get("all:", 0), dropped[-1][1])
    return bounded


def _digits(value: str) -> str:
    digits = value.strip().lower()
    hexadecimal = len(digits) >= _KEY_DIGITS and all(digit in "0123456789abcdef" for digit in digits)
    _need(hexadecimal and len(digits) <= 64, value, "a key is 16 to 64 hex digits, as on the receipt")
    return digits[:_KEY_DIGITS]


def _need(right: bool, value: str, fix: str) -> None:
    if not right:
        raise _bad(f"{value[:80]!r} cannot be used: {fix}.")


def _bad(message: str) -> RequestError:
    return RequestError(message, code="invalid_selector")
