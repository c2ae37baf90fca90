"""``pennyworth replay FILE``: what a gateway makes of requests that were asked before, sent or only counted."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

from cyclopts import Parameter

from pennyworth.cli import dry_run as dry
from pennyworth.cli import replay_report as report
from pennyworth.cli.exits import FAILED, OK, wrong_usage
from pennyworth.cli.options import AsJson, ConfigPath, plan_from
from pennyworth.cli.replay_file import Ask, Contents, read
from pennyworth.cli.replay_send import Heard, send_all
from pennyworth.cli.screen import Screen, facts, print_json
from pennyworth.plan import Plan

_SHOWN_PROBLEMS = 5
_ANY_MODEL = "gpt-4o-mini"
"""To make keys with, where nobody names a model: which one makes no difference to what repeats."""


def replay(
    file: Annotated[str, Parameter(help="JSONL of chat requests, of questions or of receipts; or a question a line.")],
    /,
    *,
    url: Annotated[
        str | None, Parameter(help="The gateway's base URL, as an SDK takes it; else the configured one.")
    ] = None,
    model: Annotated[
        str, Parameter(help="For questions that name none; with --dry-run also what to price them by.")
    ] = "",
    concurrency: Annotated[int, Parameter(help="Requests in flight at a time.")] = 8,
    limit: Annotated[int | None, Parameter(help="Only the first so many.")] = None,
    dry_run: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Send nothing; count what could be saved.")
    ] = False,
    answer_tokens: Annotated[int, Parameter(help="With --dry-run: how long an answer is taken to be.")] = 300,
    key_env: Annotated[str, Parameter(help="The variable that holds the gateway's client key.")] = "PENNYWORTH_KEY",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> int:
    """Send a file of questions through a gateway, or forecast what it would save.

    A file may hold chat requests (sent byte by byte as they stand), lines of a
    batch file, questions, or a gateway's receipts (for --dry-run, since they
    hold no questions). --dry-run counts exact repeats, repeats that were only
    typed differently, and unique questions, by the code that the gateway
    decides with, and sends nothing. Ends with 1 if a request got no answer.

    For example:

        pennyworth replay questions.txt --model gpt-4o-mini --dry-run
        pennyworth replay requests.jsonl --concurrency 16
        pennyworth receipts -n 100000 --json > r.json; pennyworth replay r.json --dry-run
    """
    if concurrency < 1 or (limit is not None and limit < 1):
        raise wrong_usage("--concurrency and --limit begin at 1.", "Give a whole number from 1 on.")
    screen = Screen()
    plan = plan_from(config)
    contents = read(file, model, placeholder=_ANY_MODEL if dry_run else "")
    contents = Contents(contents.asks[:limit], contents.receipts[:limit])
    if dry_run:
        return _count(plan, contents, bool(model), answer_tokens, screen, as_json)
    if contents.receipts:
        raise wrong_usage("Receipts hold no questions, so there is nothing to send.", "Add --dry-run to count them.")
    if nameless := next((ask for ask in contents.asks if ask.nameless), None):
        raise wrong_usage(f"line {nameless.line} names no model.", "Add --model, such as --model gpt-4o-mini.")
    base_url = (url or f"http://{_host(plan)}:{plan.listen.port}/v1").rstrip("/")
    heard = _send(base_url, os.environ.get(key_env, ""), contents.asks, concurrency, screen)
    return _report(report.with_amounts(plan, heard, screen), base_url, screen, as_json)


def _host(plan: Plan) -> str:
    host = "127.0.0.1" if plan.listen.host == "0.0.0.0" else plan.listen.host  # noqa: S104  # compared, not bound
    return f"[{host}]" if ":" in host else host


def _send(base_url: str, key: str, asks: list[Ask], concurrency: int, screen: Screen) -> list[Heard]:
    with screen.progress() as progress:
        task = progress.add_task("replaying", total=len(asks), note="")
        return asyncio.run(send_all(base_url, key, asks, concurrency, lambda _: progress.advance(task)))


def _report(heard: list[Heard], base_url: str, screen: Screen, as_json: bool) -> int:
    failed = [each for each in heard if each.problem]
    if as_json:
        print_json(report.to_json(heard, base_url))
        return FAILED if failed else OK
    screen.out.print(facts(f"{len(heard):,} requests through {base_url}", report.facts_of(heard)))
    if not any(each.receipt for each in heard):
        screen.warn(f"no reply bears a receipt: is that a Pennyworth gateway at {base_url}?")
    for each in failed[:_SHOWN_PROBLEMS]:
        screen.warn(f"line {each.line}: {each.problem}")
    screen.next(("one of them in full", f"pennyworth explain {heard[-1].receipt or 'last'}"))
    return FAILED if failed else OK


def _count(plan: Plan, contents: Contents, priced: bool, answer_tokens: int, screen: Screen, as_json: bool) -> int:
    forecast = dry.forecast_of(plan, contents, answer_tokens, screen)
    priced = priced or not any(ask.nameless for ask in contents.asks)
    if as_json:
        print_json(dry.to_json(forecast, priced=priced))
        return OK
    rows = dry.facts_of(forecast, priced=priced, answer_tokens=answer_tokens)
    screen.out.print(facts("What a gateway could do with it; nothing was sent", rows))
    if not contents.receipts:
        screen.next(("send them", "pennyworth serve, then the same line without --dry-run"))
    return OK
