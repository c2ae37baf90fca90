"""``batch --dry-run``: what is in the file, what the present cache answers, and what the rest would cost."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pennyworth.batch.lines import Line, Problem
from pennyworth.batch.source import Source
from pennyworth.cli.amounts import share, usd
from pennyworth.cli.batch_run import Settings, caller_of
from pennyworth.cli.dry_run import prices_of
from pennyworth.cli.exits import OK
from pennyworth.cli.forecast import Forecast, Forecaster
from pennyworth.cli.screen import Fact, Screen, facts, print_json
from pennyworth.clients import KeySet
from pennyworth.decide.key import Keyring
from pennyworth.decide.keys import sealer
from pennyworth.decide.lifetime import compile_rules
from pennyworth.decide.tenants import tenants_of
from pennyworth.errors import RequestError
from pennyworth.money import HALF, Money
from pennyworth.plan import Plan
from pennyworth.request import Caller, Key
from pennyworth.server.admin_json import plain
from pennyworth.state_dir import open_answers, open_keybook, open_keyring
from pennyworth.stores.sqlite import SqliteStore

Held = Callable[[Key], bool]


def show(plan: Plan, settings: Settings, answer_tokens: int, screen: Screen, as_json: bool) -> int:
    """Raises ``BatchError``."""
    with contextlib.closing(Source(settings.source)) as source, contextlib.ExitStack() as stack:
        keyring, keys, held = _state(plan, stack)
        caller = caller_of(plan, tenants_of(plan, keys, time.time(), sealer(keyring)), keyring, settings)
        rules = compile_rules(plan.lifetimes, plan.default_lifetime)
        forecaster = Forecaster(plan, keyring, rules, prices_of(plan), answer_tokens, held)
        problems = _read(source, forecaster, plan, caller, screen)
    waits = settings.deadline_s > 0
    if as_json:
        print_json(_to_json(forecaster.result, problems, waits=waits))
    else:
        rows = _facts(forecaster.result, problems, answer_tokens, waits=waits)
        screen.out.print(facts("What the batch would do; nothing was sent", rows))
    return OK


def _state(plan: Plan, stack: contextlib.ExitStack) -> tuple[Keyring, KeySet, Held]:
    """What is there already; a dry run makes no state directory."""
    if not (Path(plan.state_dir) / "secret").exists():
        return Keyring(secrets.token_bytes(32)), KeySet(), lambda _: False
    keyring = open_keyring(plan)
    keybook = open_keybook(plan)
    stack.callback(keybook.close)
    return keyring, keybook.read(), _held_by(open_answers(plan, keyring, lambda *_: None))


def _held_by(store: SqliteStore) -> Held:
    def held(key: Key) -> bool:
        asking = store.get(key, time.time())
        try:
            asking.send(None)  # it never suspends
        except StopIteration as found:
            return found.value is not None and found.value.expires_s > time.time()
        asking.close()
        return False

    return held


def _read(source: Source, forecaster: Forecaster, plan: Plan, caller: Caller, screen: Screen) -> dict[str, int]:
    problems: dict[str, int] = {}
    with screen.progress() as progress:
        task = progress.add_task("reading", total=len(source), note="")
        for entry in source.entries():
            code = entry.code if isinstance(entry, Problem) else _take(forecaster, entry, plan, caller)
            if code:
                problems[code] = problems.get(code, 0) + 1
            progress.advance(task)
    return problems


def _take(forecaster: Forecaster, line: Line, plan: Plan, caller: Caller) -> str:
    try:
        request = line.codec.read_request(
            line.body, {}, caller, vary=plan.cache.vary_headers, max_depth=plan.limits.max_depth
        )
    except RequestError as error:
        return error.code
    forecaster.take(request)
    return ""


def _facts(told: Forecast, problems: dict[str, int], answer_tokens: int, *, waits: bool) -> Iterator[Fact]:
    yield "lines", f"{told.requests + sum(problems.values()):,}", ""
    for code, number in sorted(problems.items()):
        yield "  wrong", f"{number:,}", code
    yield "repeats", f"{told.exact + told.near:,}", "of a line before them; asked once"
    yield "kept already", f"{told.held:,}", "answered by the cache as it is now"
    yield "to be asked", f"{_asked(told):,}", "of providers"
    if told.priced:
        saved = told.direct - _cost(told, waits=waits)
        yield "cost without", usd(told.direct), f"estimated, at {answer_tokens} tokens an answer"
        yield "cost with", usd(_cost(told, waits=waits)), f"{share(saved.pico, told.direct.pico)} saved"
    if told.unpriced:
        yield "unpriced", f"{told.unpriced:,}", "requests of models without a price, not counted above"


def _asked(told: Forecast) -> int:
    return told.requests - told.exact - told.near - told.held


def _cost(told: Forecast, *, waits: bool) -> Money:
    """A batch API's half price, wherever one may be: an estimate."""
    return Money(int(told.through.pico * HALF)) if waits else told.through


def _to_json(told: Forecast, problems: dict[str, int], *, waits: bool) -> dict[str, object]:
    return {
        "lines": told.requests + sum(problems.values()),
        "problems": problems,
        "repeats": told.exact + told.near,
        "kept": told.held,
        "asked": _asked(told),
        "unpriced": told.unpriced,
        "direct": plain(told.direct),
        "through": plain(_cost(told, waits=waits)),
    }
