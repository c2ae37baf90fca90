"""The whole gateway under seeded faults: no law is broken, the same seed is the same history, and a law can be broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import msgspec
import pytest

from pennyworth.assemble import Runtime
from pennyworth.decide.key import Keyring, Keys, Question
from pennyworth.engine.coalesce import Flights
from pennyworth.engine.flight import Flight
from pennyworth.outcome import Intent, Kept, Receipt
from pennyworth.plan import Target
from pennyworth.ports import Call, Exchange, Journal, Store, StoreUsage, Upstream
from pennyworth.request import Caller, Key, Request
from pennyworth.simulation import AS_SHIPPED, Fittings, play, run
from pennyworth.simulation.run import told
from pennyworth.view import Control

SEED = "standing"


def test_ten_thousand_requests_break_no_law() -> None:
    tally = run(SEED, 10_000)
    assert not tally.failed, "\n".join(told(episode) for episode in tally.failed)
    assert tally.requests >= 10_000
    assert tally.crashes > 0
    served = {name.partition("/")[0] for name in tally.served}
    assert served >= {"exact", "normalised", "coalesced", "upstream", "none"}
    assert {name.partition("/")[2] for name in tally.served} >= {"complete", "cut", "caller_left", "unknown", "refused"}


_AUDITED = """
import sys
from pennyworth.simulation import run
run("warm", 30)
real = []
sys.addaudithook(lambda what, _: real.append(what) if what.startswith(("socket.", "time.sleep", "_thread.")) else None)
tally = run("elsewhere", 500)
print(tally.digest, sorted(set(real)), len(tally.failed))
"""


def test_a_history_is_the_same_in_every_process_and_touches_nothing_real() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _AUDITED],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1234")
    }
    assert len(said) == 1
    digest, real, failed = re.fullmatch(r"(\w+) (\[.*\]) (\d+)\n", said.pop()).groups()  # type: ignore[union-attr]
    assert (real, failed) == ("[]", "0")
    assert digest == run("elsewhere", 500).digest != run("nowhere", 500).digest


def test_the_command_says_how_to_see_an_episode_again() -> None:
    command = [sys.executable, "-m", "pennyworth.simulation", "--episode", f"{SEED}.3", "--requests", "200"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"history \w{16}\n", done.stdout)
    assert done.stdout.endswith("sound\n")


class OneScope(Keyring):
    """Forgets to ask whose question it is."""

    def keys(self, request: Request, question: Question, target: Target, route: str, epoch: int) -> Keys | None:
        anybodys = msgspec.structs.replace(request, caller=Caller("everybody"))
        return super().keys(anybodys, question, target, route, epoch)


class SeedlessKeys(Keyring):
    """Forgets that another seed is another question."""

    def keys(self, request: Request, question: Question, target: Target, route: str, epoch: int) -> Keys | None:
        fields = {name: value for name, value in question.fields.items() if name != "seed"}
        return super().keys(request, Question(question.form, fields, fields), target, route, epoch)


class AnyFlight(Flights):
    """Lets callers join whatever is under way."""

    def find(self, key: Key, epoch: int) -> Flight | None:
        # In the order in which they began: that of a set is chance.
        return super().find(key, epoch) or next((each for each in self._shared.values() if not each.over), None)


class Around:
    """A store that is another one."""

    immediate = False

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    async def get(self, key: Key, now_s: float) -> Kept | None:
        return await self.inner.get(key, now_s)

    async def put(self, kept: Kept) -> None:
        await self.inner.put(kept)

    async def sweep(self, control: Control, now_s: float) -> int:
        return await self.inner.sweep(control, now_s)

    def usage(self) -> StoreUsage:
        return self.inner.usage()

    async def close(self) -> None:
        await self.inner.close()


class Mixed(Around):
    """Gives the answer that was put last, under whatever key it is asked."""

    last: Kept | None = None

    async def put(self, kept: Kept) -> None:
        self.last = kept
        await super().put(kept)

    async def get(self, key: Key, now_s: float) -> Kept | None:
        return msgspec.structs.replace(self.last, key=key) if self.last else None


class Eternal(Around):
    """Never lets an answer expire."""

    async def put(self, kept: Kept) -> None:
        await super().put(msgspec.structs.replace(kept, expires_s=kept.expires_s + 1e9))


class Forgetful:
    """A journal that writes nothing of those who left."""

    def __init__(self, inner: Journal) -> None:
        self._inner = inner

    def append(self, record: Intent | Receipt) -> None:
        if isinstance(record, Intent) or record.ending != "caller_left":
            self._inner.append(record)

    def close(self) -> None:
        self._inner.close()


class Stammering:
    """An upstream that makes every call twice, and gives the second reply."""

    def __init__(self, inner: Upstream) -> None:
        self._inner = inner

    async def open(self, call: Call) -> Exchange:
        (await self._inner.open(call)).close()
        return await self._inner.open(call)

    async def close(self) -> None:
        await self._inner.close()


class Unclosed:
    """An upstream whose exchanges do not give their connections back."""

    def __init__(self, inner: Upstream) -> None:
        self._inner = inner

    async def open(self, call: Call) -> Exchange:
        exchange = await self._inner.open(call)
        return KeptOpen(exchange)

    async def close(self) -> None:
        await self._inner.close()


class KeptOpen:
    def __init__(self, inner: Exchange) -> None:
        self.status, self.headers = inner.status, inner.headers
        self._inner = inner

    async def read(self) -> bytes:
        return await self._inner.read()

    def close(self) -> None:
        """Does not."""


def _joins_anything(runtime: Runtime) -> None:
    runtime.engine.flights = AnyFlight()


FAULTY = (
    ("a key without its scope", {"right tenant"}, AS_SHIPPED._replace(keyring=OneScope)),
    ("a key without one of the parameters", {"right question"}, AS_SHIPPED._replace(keyring=SeedlessKeys)),
    ("callers join any flight", {"right tenant", "right question"}, AS_SHIPPED._replace(wiring=_joins_anything)),
    ("a store that mixes its answers up", {"right question"}, AS_SHIPPED._replace(store=Mixed)),
    ("answers live for ever", {"young answer"}, AS_SHIPPED._replace(store=Eternal)),
    ("no receipt for who leaves", {"one receipt"}, AS_SHIPPED._replace(journal=Forgetful)),
    ("each call is made twice", {"books are the bill"}, AS_SHIPPED._replace(upstream=Stammering)),
    ("connections are not given back", {"nothing held"}, AS_SHIPPED._replace(upstream=Unclosed)),
)


@pytest.mark.parametrize(("fault", "laws", "fittings"), FAULTY, ids=[fault for fault, _, _ in FAULTY])
def test_a_faulty_part_is_found_by_its_law_and_found_again(fault: str, laws: set[str], fittings: Fittings) -> None:
    tally = run("f3", 20_000, fittings, stop_at_first=True)
    assert tally.failed, f"{fault}: nothing was found in {tally.requests} requests"
    found = tally.failed[0]
    assert laws & {broken.law for broken in found.broken}
    again = play(found.seed, found.wishes, fittings)
    assert (again.digest, again.broken) == (found.digest, found.broken)
    assert f"--episode {found.seed} --requests {found.wishes}" in told(found)


def test_the_parts_of_a_simulation_are_those_that_are_shipped_unless_others_are_named() -> None:
    assert Fittings() == AS_SHIPPED
