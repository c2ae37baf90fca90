"""Can the simulation fail? Breaks a copy of the code in one place at a time, and counts the requests until it is found.

    .venv/bin/python -m benchmarks.mutants [--requests N] [--seed S] [NAME ...]

It ends with 0 only if each one was found. A change whose place is gone says so: it has to be written anew.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).parents[1]


class Mutant(NamedTuple):
    """In ``file``, ``old`` stands once and is replaced by ``new``; ``more`` pairs where one guard stands behind another."""

    name: str
    file: str
    old: str
    new: str
    more: tuple[tuple[str, str], ...] = ()


MUTANTS = (
    Mutant(
        "a key without its scope",
        "decide/key.py",
        "question.normal, self._scope(request.caller.scope)",
        'question.normal, self._scope("")',
    ),
    Mutant("a key without seed", "decide/key.py", '"user": "who', '"seed": "", "user": "who'),
    Mutant(
        "replies that broke off are kept",
        "decide/cacheable.py",
        'return f"the reply is not whole: {outcome.fault}" if outcome.fault else ""',
        'return ""',
        (
            ('case "complete" | "tools":', 'case "complete" | "tools" | "cut":'),
            ("if finish.lower() not in _TERMINAL:", "if False:"),
        ),
    ),
    Mutant(
        "length counts as complete",
        "decide/cacheable.py",
        'case "complete" | "tools":',
        'case "complete" | "tools" | "length":',
        (
            ('{"stop", "eos"', '{"length", "stop", "eos"'),
            ('        case "length":\n            return "the reply was cut off at its length limit"\n', ""),
        ),
    ),
    Mutant(
        "cut streams end in silence", "engine/relay.py", 'if self._told or flight.outcome.ending != "cut":', "if True:"
    ),
    Mutant(
        "no receipt for a follower who leaves",
        "engine/relay.py",
        'self._books.settle(self._p, served="none", ending="caller_left", status=499)',
        "pass",
    ),
    Mutant(
        "a follower joins another flight",
        "engine/coalesce.py",
        "flight = self._shared.get((key, epoch))",
        "flight = self._shared.get((key, epoch)) or next(iter(self._shared.values()), None)",
    ),
    Mutant("purges do not reach kept answers", "view.py", "if not self.purges and not self.older_than_s:", "if True:"),
    Mutant(
        "flights are joined across purges",
        "engine/coalesce.py",
        "self._shared[key, epoch] = flight",
        "self._shared[key, epoch] = self._shared[key, epoch + 1] = flight",
    ),
    Mutant(
        "cached tokens at the full price",
        "engine/books.py",
        "made.tariff.cost(usage)",
        "made.tariff.cost(type(usage)(usage.input, usage.output))",
    ),
    Mutant(
        "estimates pass for metered",
        "engine/books.py",
        'output=tokens.estimate_tokens(outcome.text)\n        ), "estimated"',
        'output=tokens.estimate_tokens(outcome.text)\n        ), "metered"',
    ),
    Mutant(
        "the end of a flight wakes nobody",
        "engine/flight.py",
        "        self.over = True\n        self._wake()",
        "        self.over = True",
    ),
    Mutant("no intent before a call", "engine/sending.py", "        self._books.intend(self._p, self._target)\n", ""),
    Mutant(
        "a connection with an unread reply is used again",
        "upstreams/connection.py",
        "            and reply.whole\n            and reply.reusable\n            and not reply.pieces\n",
        "",
    ),
    Mutant(
        "what the provider saw is sent again",
        "upstreams/unseen.py",
        "return known is not None and known[2] == self._acknowledged",
        "return True",
    ),
    Mutant(
        "expired answers are given",
        "engine/shelf.py",
        "return lifetime.fresh(kept, p.request.directives, p.view.wall_s)",
        "return True",
    ),
    Mutant(
        "no-store is not heard",
        "decide/cacheable.py",
        "    if request.directives.no_store:\n        return _NO_STORE\n",
        "",
    ),
    Mutant(
        "the last byte before the receipt",
        "engine/sending.py",
        "        self._landed = True\n        self._land(sent)\n        self._release()",
        "        self._landed = True\n        self._release()\n        self._land(sent)",
    ),
    Mutant(
        "the kill switch is not asked",
        "engine/triage.py",
        "enabled = plan.enabled and control.enabled",
        "enabled = True",
    ),
    Mutant(
        "a retry after content",
        "engine/courier.py",
        "again = fault.judge(sent.outcome).retry and errand.flight.wanted and not errand.flight.fed",
        "again = sent.outcome.broke == 'reset' and errand.flight.wanted",
    ),
    Mutant(
        "a fallback is kept as the asked model's",
        "decide/cacheable.py",
        'or ("" if target_is_primary else "a fallback',
        'or ("" if True else "a fallback',
        (("        or _by_another(asked, outcome.served_by)\n", ""),),
    ),
    Mutant(
        "a hedge's loser is not booked",
        "engine/sending.py",
        '            self._note(msgspec.structs.replace(outcome, ending="outrun", broke="cancelled"))\n',
        "",
    ),
    Mutant("room at a target is never given back", "engine/courier.py", "            health.leave()\n", ""),
    Mutant(
        "the loser of a race goes on talking",
        "engine/sending.py",
        "        if not self._held or not (self._began or self._claim()):",
        "        if not self._held:",
    ),
    Mutant(
        "a leader who leaves in the second look is forgotten",
        "engine/pilot.py",
        "except asyncio.CancelledError:  # by Flight.abort, which",
        "except ZeroDivisionError:  # by Flight.abort, which",
    ),
    Mutant(
        "a leader's leaving silences a break for the others",
        "engine/sending.py",
        "if fault and not (self._flight.wanted or self._flight.aborted):",
        "if fault and self._p.left and not self._flight.aborted:",
    ),
    Mutant(
        "a redirect is booked as a reply", "engine/books.py", "outcome.status >= 300 or", "outcome.status >= 400 or"
    ),
    Mutant(
        "a receipt with another caller's status",
        "engine/relay.py",
        "fed = flight.fed and self._p.request.stream",
        "fed = flight.fed",
    ),
    Mutant(
        "revoked keys are not looked for",
        "engine/tenancy.py",
        "if keys is not self._keys and keys != self._keys:",
        "if False:",
    ),
    Mutant(
        "an end user's answers are the whole key's",
        "decide/scope.py",
        'scope=f"{caller.narrow}:{caller.client}:{digits}"',
        'scope=f"{caller.narrow}:{caller.client}"',
    ),
    Mutant(
        "exchanges are not closed",
        "engine/sending.py",
        "            if exchange is not None:\n                exchange.close()",
        "            pass",
    ),
)


class Found(NamedTuple):
    """``law``: the first that broke; "" when none did in so many requests. ``trouble``: why it could not be tried."""

    requests: int
    law: str
    trouble: str = ""


def try_one(mutant: Mutant, requests: int, seed: str) -> Found:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        source = Path(folder) / "pennyworth"
        shutil.copytree(_ROOT / "src" / "pennyworth", source, ignore=shutil.ignore_patterns("__pycache__"))
        file = source / mutant.file
        text = file.read_text(encoding="utf-8")
        for old, new in ((mutant.old, mutant.new), *mutant.more):
            if text.count(old) != 1:
                return Found(0, "", f"its place in {mutant.file} is there {text.count(old)} times: write it anew")
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "pennyworth.simulation", "--seed", seed, "--requests", str(requests)]
        ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True)
    asked = re.search(r"^([0-9,]+) requests in", ran.stdout, re.MULTILINE)
    law = re.search(r"^  (.+)$", ran.stdout, re.MULTILINE)
    if asked is None:
        return Found(0, "", f"it fell: {ran.stderr.strip().splitlines()[-1:]}")
    return Found(int(asked[1].replace(",", "")), law[1] if law else "")


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=(__doc__ or "").split("\n")[0])
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--seed", default="1")
    options.add_argument("names", nargs="*", help="parts of their names; all by default")
    chosen = options.parse_args()
    alive = 0
    for mutant in MUTANTS:
        if chosen.names and not any(name in mutant.name for name in chosen.names):
            continue
        found = try_one(mutant, chosen.requests, chosen.seed)
        alive += not found.law
        told = f"{found.requests:,} requests; {found.law[:150]}" if found.law else found.trouble or "NOT FOUND"
        print(f"{mutant.name}: {told}", flush=True)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
