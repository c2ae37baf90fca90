"""Can the simulation fail, and the tests? Breaks a copy of the code in one place at a time, and counts the requests until it
is found; what the simulation does not play is tried by the tests that guard it.

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
_HANGS_S = 300.0
"""Longer than any of the tests takes, in all."""


class Mutant(NamedTuple):
    """In ``file``, ``old`` stands once and is replaced by ``new``; ``more`` pairs where one guard stands behind another.
    ``tests``: what is to find it instead of the simulation."""

    name: str
    file: str
    old: str
    new: str
    more: tuple[tuple[str, str], ...] = ()
    tests: tuple[str, ...] = ()


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
        "cut streams end in silence",
        "engine/relay.py",
        'if outcome.ending == "cut":\n            return cut_off(self._p, outcome)',
        'if outcome.ending == "cut":\n            return b""',
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
        "engine/rates.py",
        "made.tariff.cost(usage)",
        "made.tariff.cost(type(usage)(usage.input, usage.output))",
    ),
    Mutant(
        "estimates pass for metered",
        "engine/books.py",
        'return Usage(input=tokens.estimate(asked), output=tokens.estimate_tokens(outcome.text)), "estimated"',
        'return Usage(input=tokens.estimate(asked), output=tokens.estimate_tokens(outcome.text)), "metered"',
    ),
    Mutant(
        "the end of a flight wakes nobody",
        "engine/flight.py",
        "        self.over = True\n        self._wake()",
        "        self.over = True",
    ),
    Mutant(
        "no intent before a call",
        "engine/sending.py",
        "        self._books.intend(self._p, self._target, self._race.size if self._race is not None else 1)\n",
        "",
    ),
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
        "engine/giving.py",
        "if flight.fed and p.request.stream:\n        return 200",
        "if flight.fed:\n        return 200",
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
    Mutant(
        "a translation drops what it cannot carry in silence",
        "wire/losses.py",
        '    def cannot(self, path: str, value: object, why: str = "") -> None:\n',
        '    def cannot(self, path: str, value: object, why: str = "") -> None:\n        return\n\n'
        '    def _cannot(self, path: str, value: object, why: str = "") -> None:\n',
        tests=("tests/wire/test_translate_requests.py", "tests/wire/test_translate_laws.py"),
    ),
    Mutant(
        "unknown fields do not count for the plain form",
        "wire/plain.py",
        "if not fields.keys() <= _FIELDS[dialect]:",
        "if False:",
        tests=("tests/wire/test_plain_form.py", "tests/decide/test_key.py", "tests/engine/test_dialects.py"),
    ),
    Mutant(
        "temperature does not count for the plain form",
        "decide/key.py",
        '    "user": "who asks',
        '    "temperature": "",\n    "user": "who asks',
        tests=("tests/wire/test_plain_form.py", "tests/decide/test_key.py"),
    ),
    Mutant(
        "an embedding is its neighbour's",
        "engine/batch.py",
        "yield self.keys[place], Fresh(part, share)",
        "yield self.keys[place - 1], Fresh(part, share)",
        tests=("tests/engine/test_items.py", "tests/engine/test_items_law.py"),
    ),
    Mutant(
        "embeddings are put together in the provider's order",
        "wire/embeddings/reply.py",
        "key=lambda pair: pair[0])",
        "key=lambda pair: 0)",
        tests=("tests/wire/test_embeddings_reply.py", "tests/engine/test_items.py"),
    ),
    Mutant(
        "vectors of two models stand in one reply",
        "engine/items.py",
        "or not together.of_one_model(batch, outcome.served_by)",
        "or False",
        tests=("tests/engine/test_items.py",),
    ),
    Mutant(
        "a batch's name at its provider is not written down",
        "batch/lanes.py",
        'self._work.keep.lane(lane.moved("sent", found))',
        'self._work.keep.card = __import__("msgspec").structs.replace(\n'
        '    self._work.card, lanes=(*[l for l in self._work.card.lanes if l is not lane], lane.moved("sent", found)))',
        tests=("tests/batch/test_deadline.py",),
    ),
    Mutant(
        "a batch is handed in again without a look",
        "batch/lanes.py",
        "found = await self._found(lane, api) if perhaps_there else None",
        "found = None",
        tests=("tests/batch/test_deadline.py",),
    ),
    Mutant(
        "what is asked directly is handed in later",
        "batch/direct.py",
        "                work.spool.directly(line.number)\n",
        "",
        tests=("tests/batch/test_twice.py",),
    ),
    Mutant(
        "results that are missing were never made",
        "batch/lanes.py",
        "if len(came) < done:",
        "if False:",
        tests=("tests/batch/test_twice.py",),
    ),
    Mutant(
        "turns are not taken",
        "transport/turns.py",
        "            self._turn.acquire()\n",
        "            pass\n",
        (("        self._turn.release()\n", "        pass\n"),),
        tests=("tests/transport/test_turns.py",),
    ),
    Mutant(
        "a signal finds the engine's work half done",
        "transport/turns.py",
        "if threading.current_thread() is threading.main_thread():",
        "if False:",
        tests=("tests/transport/test_closing.py",),
    ),
    Mutant(
        "a closed library begins requests",
        "transport/visit.py",
        "if self._house.ended:",
        "if False:",
        tests=("tests/transport/test_closing.py",),
    ),
    Mutant(
        "who leaves a stream in process is not noticed",
        "transport/visit.py",
        "            self._house.later(self._leave)",
        "            pass",
        tests=("tests/transport/test_sdk.py",),
    ),
    Mutant(
        "a body that is passed through and breaks off ends well",
        "engine/through.py",
        'if outcome.ending != "complete":',
        "if False:",
        tests=("tests/engine/test_through.py",),
    ),
    Mutant(
        "our key is said back in what is passed through",
        "engine/passing_on.py",
        "elif passed := striking.feed(data):",
        "elif passed := data:",
        tests=("tests/door/test_pass_through.py",),
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
        if mutant.tests:
            return _tested(mutant.tests, folder)
        command = [sys.executable, "-m", "pennyworth.simulation", "--seed", seed, "--requests", str(requests)]
        ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True)
    asked = re.search(r"^([0-9,]+) requests in", ran.stdout, re.MULTILINE)
    law = re.search(r"^  (.+)$", ran.stdout, re.MULTILINE)
    if asked is None:
        return Found(0, "", f"it fell: {ran.stderr.strip().splitlines()[-1:]}")
    return Found(int(asked[1].replace(",", "")), law[1] if law else "")


def _tested(tests: tuple[str, ...], folder: str) -> Found:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((folder, str(_ROOT)))}
    try:
        ran = subprocess.run(command, env=env, cwd=_ROOT, capture_output=True, text=True, timeout=_HANGS_S)
    except subprocess.TimeoutExpired:
        return Found(0, f"it hangs: {tests[0]}")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
    if ran.returncode > 1 or (ran.returncode and failed is None):
        return Found(0, "", f"the tests fell: {ran.stdout.strip().splitlines()[-1:]}")
    return Found(0, failed[1] if failed else "")


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
        asked = f"{found.requests:,} requests; " if found.requests else ""
        told = f"{asked}{found.law[:150]}" if found.law else found.trouble or "NOT FOUND"
        print(f"{mutant.name}: {told}", flush=True)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
