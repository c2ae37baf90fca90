"""``pennyworth demo``: the main job on real questions, and the proof that the books are right."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Annotated

from cyclopts import Parameter

from pennyworth.cli.demo_report import print_result
from pennyworth.cli.exits import FAILED, INTERRUPTED, OK, wrong_usage
from pennyworth.cli.options import AsJson
from pennyworth.cli.screen import Screen, print_json
from pennyworth.demo.heard import Reply
from pennyworth.demo.play import play
from pennyworth.demo.result import Result, Settings, to_json

_FEWEST = 20


def demo(
    *,
    requests: Annotated[int, Parameter(help="How many are sent.")] = Settings().requests,
    seed: Annotated[int, Parameter(help="Of the stream, the prices and the faults.")] = Settings().seed,
    at_once: Annotated[int, Parameter(help="Requests in flight at a time.")] = Settings().at_once,
    keep: Annotated[str, Parameter(help="A new directory to leave the books in, to look at afterwards.")] = "",
    as_json: AsJson = False,
) -> int:
    """The main job on real questions, with proof that the books balance.

    Starts the gateway and a simulated provider with random prices and scripted
    faults, and asks real questions of bank customers through HTTP by the
    official openai SDK: some as streams, some concurrent, many of them
    repeats. Then it checks every answer by its watermark, and lays the
    gateway's ledger beside the provider's own bill, call by call. Ends with 0
    only if every answer is right and the books are equal to the picodollar.

    For example:

        pennyworth demo
        pennyworth demo --requests 500 --seed 7
        pennyworth demo --keep /tmp/books
        pennyworth demo --json | jq .checks
    """
    if requests < _FEWEST or at_once < 1:
        raise wrong_usage(f"--requests begins at {_FEWEST}, --at-once at 1.", "Give larger numbers.")
    signal.signal(signal.SIGTERM, _leave)
    screen = Screen()
    result = _play(Settings(requests=requests, seed=seed, at_once=at_once, keep=keep), screen)
    if as_json:
        print_json(to_json(result))
    else:
        print_result(screen, result)
    return OK if result.passed else FAILED


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """By way of every ``with``: servers are stopped and the temporary directory is removed."""
    raise SystemExit(INTERRUPTED)


def _play(settings: Settings, screen: Screen) -> Result:
    screen.err.print(
        f"Starting two servers and asking {settings.requests:,} questions: about half a minute.", style="dim"
    )
    with screen.progress() as progress:
        task = progress.add_task("asking", total=settings.requests, note="servers are starting")

        def tell(reply: Reply) -> None:
            progress.update(task, advance=1, note="" if not reply.failure else "a request failed, as scripted")

        return play(settings, tell)
