"""Who may come in now, and what may each do? One value made of the Plan, the virtual keys and the time.

Whatever could let in too many lets in nobody: a virtual key that bears the name of a configured one, or belongs to a team
that the configuration no longer has, is left out and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pennyworth.clients import UNLIMITED, ClientKey, KeySet, VirtualKey
from pennyworth.decide import keys as virtual
from pennyworth.decide.keys import Seal
from pennyworth.decide.scope import caller_of
from pennyworth.plan import Plan
from pennyworth.request import Caller
from pennyworth.view import Grant, Tenants


def tenants_of(plan: Plan, keys: KeySet, now_s: float, seal: Seal) -> Tenants:
    """The keys in force at ``now_s``. To be made anew when the Plan or the keys change, and at its ``until_s``."""
    configured = {key.name for key in plan.keys}
    sound = [key for key in keys.keys.values() if not _trouble(key, configured, plan)]
    callers, until_s = _virtual_callers(sound, now_s)
    in_force: list[ClientKey | VirtualKey] = [*plan.keys, *(key for key in sound if virtual.in_force(key, now_s))]
    grants = _grants(plan, in_force)
    # A key that was revoked locks the door still: the last one's end must not let in everybody.
    locked = bool(plan.keys or keys.keys)
    if not locked:
        grants[""] = Grant(of_all=plan.everyone)
    for one in plan.keys:
        callers[seal(one.secret.reveal())] = caller_of(one.name, one.team, one.share, one.scope)
    return Tenants(
        version=keys.version,
        grants=grants,
        callers=callers,
        locked=locked,
        until_s=until_s,
        troubles=tuple(_troubles(plan, keys, configured, now_s)),
    )


def _grants(plan: Plan, keys: Iterable[ClientKey | VirtualKey]) -> dict[str, Grant]:
    teams = {"": UNLIMITED} | {team.name: team.allowance for team in plan.teams}
    return {
        key.name: Grant(
            client=key.name, team=key.team, own=key.allowance, of_team=teams[key.team], of_all=plan.everyone
        )
        for key in keys
    }


def _virtual_callers(keys: list[VirtualKey], now_s: float) -> tuple[dict[str, Caller], float]:
    """By hash, and the moment at which the first of them ends."""
    callers, until_s = {}, float("inf")
    for key in keys:
        for seal, ends_s in virtual.holding(key, now_s):
            callers[seal] = caller_of(key.name, key.team, key.share, key.scope)
            until_s = min(until_s, ends_s)
    return callers, until_s


def _troubles(plan: Plan, keys: KeySet, configured: set[str], now_s: float) -> Iterator[str]:
    for key in keys.keys.values():
        if virtual.in_force(key, now_s) and (trouble := _trouble(key, configured, plan)):
            yield trouble


def _trouble(key: VirtualKey, configured: set[str], plan: Plan) -> str:
    if key.name in configured:
        return f"the virtual key {key.name!r} is not in force: the configuration has a key of that name"
    if key.team and all(team.name != key.team for team in plan.teams):
        return f"the virtual key {key.name!r} is not in force: the configuration has no team {key.team!r}"
    return ""
