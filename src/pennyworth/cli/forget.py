"""``pennyworth forget``: one end user, key or scope, gone from everything that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pennyworth.cli.books import need_state
from pennyworth.cli.exits import FAILED, OK, wrong_usage
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, plan_at
from pennyworth.cli.screen import Screen, add, listing, print_json
from pennyworth.forgetting import OUT_OF_REACH, Eraser, forget_from_outside, open_eraser
from pennyworth.plan import Plan
from pennyworth.server.admin_forget import told
from pennyworth.state_dir import open_control, open_folder, open_keyring, open_ledger
from pennyworth.whom import Erasure, Sort

_WORKERS_WITHIN_S = 1.0
_RECORDS = {"journal": "journal lines"}
_SPELT: Mapping[Sort, str] = {
    "user": "give it letter by letter as callers send it, and this deployment's own state directory",
    "client": "pennyworth stats --by client shows the keys there are",
    "scope": "pennyworth stats --by scope shows the scopes there are",
}


class _Asked(msgspec.Struct, frozen=True):
    by: Sort
    value: str
    words: str


def forget(
    *,
    user: Annotated[str | None, Parameter(help="An end user, as callers name him in the field user.")] = None,
    key: Annotated[str | None, Parameter(help="A client key, by its name.")] = None,
    scope: Annotated[str | None, Parameter(help="Everybody of this scope.")] = None,
    dry_run: Annotated[bool, Parameter(negative=(), show_default=False, help="Only say how many records.")] = False,
    past: Annotated[
        bool, Parameter(name="--list", negative=(), show_default=False, help="Who was forgotten so far.")
    ] = False,
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """Erase one end user, key or scope.

    Kept answers they asked for are overwritten, whoever shared them. Of their
    receipts only the money, the model and the times stay, so the books still
    balance. It works beside a running gateway, whose requests under way write
    nothing of them down any more. What cannot be reached is said.

    For example:

        pennyworth forget --user alice@example.com --dry-run
        pennyworth forget --user alice@example.com
        pennyworth forget --key shop --json
        pennyworth forget --list
    """
    screen = Screen()
    asked = _asked(user, key, scope, past)
    plan = plan_at(config, state_dir)
    folder = need_state(plan)
    with _eraser(plan, screen) as eraser:
        if asked is None:
            return _list(eraser.erasures(), as_json, screen)
        whom = eraser.whom(asked.by, asked.value)
        if dry_run:
            return _say_would(asked, eraser.count(whom), as_json, screen)
        with closing(open_control(plan)) as control:
            erasure = forget_from_outside(eraser, whom, control, folder, _WORKERS_WITHIN_S)
    return _say(asked, erasure, as_json, screen, folder)


def _asked(user: str | None, key: str | None, scope: str | None, past: bool) -> _Asked | None:
    given = [_Asked("user", user, "the end user")] if user is not None else []
    given += [_Asked("client", key, f"the key {key}")] if key is not None else []
    given += [_Asked("scope", scope, f"the scope {scope}")] if scope is not None else []
    if past and not given:
        return None
    if len(given) != 1 or past or not given[0].value:
        raise wrong_usage(
            "Nobody was forgotten: exactly one is to be named.", "Give one of --user, --key, --scope or --list."
        )
    return given[0]


@contextmanager
def _eraser(plan: Plan, screen: Screen) -> Iterator[Eraser]:
    with closing(open_ledger(plan)) as ledger:
        folder = open_folder(plan, ledger, lambda _, what: screen.warn(what))
        yield open_eraser(plan, open_keyring(plan), ledger, folder)


def _say_would(asked: _Asked, would: Mapping[str, int], as_json: bool, screen: Screen) -> int:
    if as_json:
        print_json({"dry_run": True, "would_go": would, "out_of_reach": OUT_OF_REACH})
        return OK
    screen.out.print(f"To forget {asked.words} would change {_counted(would)}. Nothing was changed.", markup=False)
    _hint(asked, would, screen)
    return OK


def _say(asked: _Asked, erasure: Erasure, as_json: bool, screen: Screen, folder: Path) -> int:
    if as_json:
        print_json({"forgotten": told(erasure), "out_of_reach": OUT_OF_REACH})
    else:
        screen.out.print(
            f"Forgot {asked.words} (pseudonym {erasure.pseudonym}): {_counted(erasure.gone)}.", markup=False
        )
        _hint(asked, erasure.gone, screen)
        if erasure.workers:
            screen.out.print(
                f"{erasure.workers} workers were running; they read the change within a second. "
                "POST /api/v1/forget on the admin port has it confirmed.",
                markup=False,
            )
        screen.out.print("Out of reach: " + "; ".join(OUT_OF_REACH) + ".", markup=False)
    for place, why in erasure.failed.items():
        screen.warn(f"{place} in {folder}: {why}. Run it again.")
    return FAILED if erasure.failed else OK


def _list(found: Sequence[Erasure], as_json: bool, screen: Screen) -> int:
    if as_json:
        print_json({"forgotten": [told(each) for each in found]})
        return OK
    table = listing("at", "by", "pseudonym", "gone", "workers", whole=("at", "pseudonym"))
    for each in found:
        row = told(each)
        confirmed = f"{each.confirmed} of {each.workers} confirmed" if each.workers else "none running"
        add(table, str(row["at"]), str(row["by"]), each.pseudonym, _counted(each.gone), confirmed)
    screen.out.print(table if found else "Nobody was forgotten here.")
    return OK


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {_RECORDS.get(place, place)}" for place, count in counts.items())


def _hint(asked: _Asked, found: Mapping[str, int], screen: Screen) -> None:
    """Nothing found may be a slip of the pen, and whoever asked to be forgotten must not be told that it is done."""
    if not any(found.values()):
        screen.warn(f"nothing was found of {asked.words}: {_SPELT[asked.by]}")
