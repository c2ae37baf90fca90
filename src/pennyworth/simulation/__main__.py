"""``python -m pennyworth.simulation``: plays so many requests from a seed, or one episode again."""

from __future__ import annotations

import argparse
import sys
import time

from pennyworth.simulation.episode import Episode, play
from pennyworth.simulation.run import Tally, run, told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pennyworth.simulation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", default="1", help="of the run; any text")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--episode", default="", help="play this one alone, as a failure names it")
    parser.add_argument("--all", action="store_true", help="go on after the first broken law")
    asked = parser.parse_args()
    started = time.process_time()
    if asked.episode:
        tally = Tally()
        tally.add(play(asked.episode, asked.requests))
    else:
        tally = run(asked.seed, asked.requests, stop_at_first=not asked.all, on_episode=_show)
    spent = time.process_time() - started
    for episode in tally.failed:
        print(told(episode))
    rate = tally.requests / spent if spent else 0.0
    print(
        f"{tally.requests:,} requests in {tally.episodes} episodes, {tally.calls:,} calls, {tally.crashes} deaths; "
        f"{rate:,.0f} requests per CPU second; history {tally.digest}"
    )
    print(", ".join(f"{number:,} {what}" for what, number in tally.served.most_common()))
    print("sound" if not tally.failed else f"{len(tally.failed)} episodes are not")
    return 1 if tally.failed else 0


def _show(episode: Episode) -> None:
    if episode.broken:
        print(f"{episode.seed}: {len(episode.broken)} laws broken", flush=True)


if __name__ == "__main__":
    sys.exit(main())
