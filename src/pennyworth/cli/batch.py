"""``pennyworth batch IN OUT``: a file of requests, answered into another."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pennyworth.batch.errors import BatchError
from pennyworth.batch.work import Again, is_finished
from pennyworth.cli import batch_forecast as forecast
from pennyworth.cli import batch_report as report
from pennyworth.cli.batch_run import Done, Settings, answer_all
from pennyworth.cli.exits import FAILED, INTERRUPTED, OK, CommandError, wrong_usage
from pennyworth.cli.options import AsJson, ConfigPath, plan_from
from pennyworth.cli.screen import Screen, print_json
from pennyworth.config.amounts import POSITIVE_DURATION
from pennyworth.config.problems import UnusableError
from pennyworth.plan import Plan
from pennyworth.state_dir import MEMORY


def batch(
    source: Annotated[str, Parameter(name="IN", help="JSONL in the format of OpenAI's batch files.")],
    out: Annotated[str, Parameter(name="OUT", help="Where the answers go, in the order of IN.")],
    /,
    *,
    errors: Annotated[str, Parameter(help="A file for the lines that got no answer; else they stand in OUT.")] = "",
    concurrency: Annotated[int, Parameter(help="Requests in flight at a time.")] = 16,
    patience: Annotated[str, Parameter(help="How long nobody may get an answer until lines are given up.")] = "10m",
    deadline: Annotated[
        str, Parameter(help="When all must be answered: what can wait goes through batch APIs, at half price.")
    ] = "",
    poll: Annotated[str, Parameter(help="With --deadline: how often providers are asked how far they are.")] = "30s",
    retry_failed: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Ask lines again that got an error.")
    ] = False,
    retry_unknown: Annotated[
        bool,
        Parameter(negative=(), show_default=False, help="Ask lines again that may have been paid for, and are lost."),
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Send nothing; count lines and what they would cost.")
    ] = False,
    answer_tokens: Annotated[int, Parameter(help="With --dry-run: how long an answer is taken to be.")] = 300,
    key_env: Annotated[str, Parameter(help="The variable that holds the gateway's client key.")] = "PENNYWORTH_KEY",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> int:
    """Answer a file of requests that can wait.

    Repeated requests are asked once, kept answers cost nothing, and answers
    are kept for whoever asks next: it is the gateway's own engine, on the same
    state directory, in this process. Killed at any moment, the same command
    goes on where it was and pays nothing twice. A line that is wrong or fails
    gets an error of its own and stops nobody. OUT appears when all is done;
    until then OUT.part grows. Ends with 1 if a line got no answer.

    With --deadline, what is not kept goes through the provider's batch API at
    half price; what that has left unanswered shortly before the deadline is
    asked directly.

    For example:

        pennyworth batch in.jsonl out.jsonl --dry-run
        pennyworth batch in.jsonl out.jsonl --errors failed.jsonl
        pennyworth batch in.jsonl out.jsonl --deadline 24h
        pennyworth batch in.jsonl out.jsonl --retry-failed
    """
    if not 1 <= concurrency <= 10_000 or answer_tokens < 1:
        raise wrong_usage("--concurrency is 1 to 10000, --answer-tokens begins at 1.", "Give another number.")
    plan, screen = _checked(plan_from(config)), Screen()
    settings = Settings(
        source=Path(source),
        out=Path(out),
        errors=Path(errors) if errors else None,
        concurrency=concurrency,
        patience_s=_seconds("--patience", patience),
        deadline_s=_seconds("--deadline", deadline) if deadline else 0.0,
        poll_s=_seconds("--poll", poll),
        again=Again(failed=retry_failed, unknown=retry_unknown),
        key=os.environ.get(key_env, ""),
        key_env=key_env,
    )
    _check_places(settings)
    try:
        if dry_run:
            return forecast.show(plan, settings, answer_tokens, screen, as_json)
        return _answer(plan, settings, screen, as_json)
    except BatchError as error:
        raise CommandError(error.problem, error.fix) from error


def _answer(plan: Plan, settings: Settings, screen: Screen, as_json: bool) -> int:
    finished = is_finished(settings.out)
    done = _run(plan, settings, screen)
    if finished:
        screen.warn(f"{settings.out} is finished: nothing is left to be asked.")
    if as_json:
        print_json(report.to_json(done))
    else:
        report.show(screen, done, settings.out)
    if done.halted:
        return INTERRUPTED
    return FAILED if done.unanswered else OK


def _run(plan: Plan, settings: Settings, screen: Screen) -> Done:
    try:
        return asyncio.run(answer_all(plan, settings, screen))
    except ExceptionGroup as group:  # of lines that are asked at once: the first says it
        raise group.exceptions[0] from group
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _checked(plan: Plan) -> Plan:
    if not plan.providers:
        raise wrong_usage("No provider is configured.", "Set OPENAI_API_KEY, say, or name a configuration by --config.")
    if plan.state_dir == MEMORY:
        raise wrong_usage(
            f"state_dir = {MEMORY!r} remembers nothing: a batch that is stopped would pay twice.",
            "Name a directory as state_dir.",
        )
    return msgspec.structs.replace(plan, limits=msgspec.structs.replace(plan.limits, idempotency_s=_REMEMBERED_S))


_REMEMBERED_S = 7 * 86400.0
"""How long a line that was asked is not asked a second time, if its batch is not gone on with."""


def _seconds(option: str, text: str) -> float:
    try:
        return float(POSITIVE_DURATION.read(text))
    except UnusableError as error:
        raise wrong_usage(f"{option}: {error.problem}.", "Give a duration such as 30s, 10m or 24h.") from error


def _check_places(settings: Settings) -> None:
    places = [settings.source, settings.out, *([settings.errors] if settings.errors else [])]
    if len({os.path.realpath(place) for place in places}) < len(places):
        raise wrong_usage("IN, OUT and --errors must be different files.", "Name another output.")
