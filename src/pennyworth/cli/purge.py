"""``pennyworth purge``: kept answers that are not to be given any more."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pennyworth.cli.amounts import lasting
from pennyworth.cli.books import need_state
from pennyworth.cli.exits import OK, wrong_usage
from pennyworth.cli.options import AsJson, ConfigPath, StateDir, plan_at, same_books
from pennyworth.cli.screen import Screen, print_json
from pennyworth.config.amounts import POSITIVE_DURATION
from pennyworth.config.problems import UnusableError
from pennyworth.decide import invalidate
from pennyworth.errors import StoreError
from pennyworth.plan import Plan
from pennyworth.state_dir import ANSWERS, open_answers, open_control, open_keyring
from pennyworth.view import Control, Select


class Selection(msgspec.Struct, frozen=True):
    """What is to be purged, and in words."""

    by: Select
    value: str
    words: str


def purge(
    *,
    everything: Annotated[bool, Parameter(name="--all", negative=(), show_default=False, help="Every answer.")] = False,
    key: Annotated[str | None, Parameter(help="The answer under this key: 16 hex digits, as on a receipt.")] = None,
    model: Annotated[str | None, Parameter(help="All answers of this model, as callers name it.")] = None,
    tag: Annotated[str | None, Parameter(help="All answers to requests with this x-pennyworth-tags tag.")] = None,
    scope: Annotated[str | None, Parameter(help="All answers that this scope owns.")] = None,
    older_than: Annotated[str | None, Parameter(help='All answers older than this, such as "24h".')] = None,
    config: ConfigPath = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """Forget kept answers.

    Name one kind of selection. It holds for answers asked for until now, those
    on their way included; running workers of this machine go by it within a
    second. Receipts stay.

    For example:

        pennyworth purge --model gpt-4o
        pennyworth purge --tag prices --json
        pennyworth purge --older-than 24h
        pennyworth purge --all
    """
    screen = Screen()
    now_s = time.time()
    selected = _selection(everything, key, model, tag, scope, older_than, now_s)
    plan = plan_at(config, state_dir)
    folder = need_state(plan)
    with closing(open_control(plan)) as control:
        row = control.change(lambda row: invalidate.purge(row, selected.by, selected.value, now_s))
    removed = _give_room_back(plan, folder, row, screen)
    if as_json:
        print_json(
            {
                "purged": {"by": selected.by, "value": selected.value},
                "epoch": row.epoch,
                "version": row.version,
                "removed": removed,
            }
        )
        return OK
    screen.out.print(f"Purged {selected.words}. Running workers go by it within a second.", markup=False)
    screen.out.print(f"{removed:,} kept answers were removed here; workers remove what they meet.", markup=False)
    screen.next(("what is asked afresh now", f"pennyworth receipts --served upstream{same_books(config, state_dir)}"))
    return OK


def _selection(
    everything: bool,
    key: str | None,
    model: str | None,
    tag: str | None,
    scope: str | None,
    older: str | None,
    now_s: float,
) -> Selection:
    given = [Selection("all", "", "every kept answer")] if everything else []
    given += [Selection("key", key, f"the answer under the key {key}")] if key is not None else []
    given += [Selection("model", model, f"the answers of the model {model}")] if model is not None else []
    given += [Selection("tag", tag, f"the answers tagged {tag}")] if tag is not None else []
    given += [Selection("scope", scope, f"the answers of the scope {scope}")] if scope is not None else []
    given += [_aged(older, now_s)] if older is not None else []
    if len(given) != 1:
        problem = "Nothing was selected." if not given else f"{len(given)} selections at once: {_named(given)}."
        raise wrong_usage(
            problem + " Nothing was purged.", "Give one of --all, --key, --model, --tag, --scope or --older-than."
        )
    return given[0]


def _named(given: list[Selection]) -> str:
    return ", ".join(f"--{each.by.replace('_', '-')}" for each in given)


def _aged(older: str, now_s: float) -> Selection:
    try:
        seconds = float(POSITIVE_DURATION.read(older))
    except UnusableError as error:
        raise wrong_usage(f"--older-than: {error.problem}. Nothing was purged.", error.fix) from error
    return Selection("older_than", repr(now_s - seconds), f"the answers older than {lasting(seconds)}")


def _give_room_back(plan: Plan, folder: Path, row: Control, screen: Screen) -> int:
    """The purge holds already; this only makes room, and so may fail."""
    if not (folder / ANSWERS).exists():
        return 0
    try:
        return asyncio.run(_sweep(plan, row, screen))
    except StoreError as error:
        screen.warn(f"the purge holds, but its room is not free yet: {error}")
        return 0


async def _sweep(plan: Plan, row: Control, screen: Screen) -> int:
    answers = open_answers(plan, open_keyring(plan), lambda _, what: screen.warn(what))
    try:
        return await answers.sweep(row, time.time())
    finally:
        await answers.close()
