"""Nothing that the door remembers of a caller outlives a change of its key: any run of changes, all asked after each."""

from __future__ import annotations

import asyncio
import inspect

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from pennyworth.clients import Allowance, ClientKey, KeySet, Team
from pennyworth.decide import keys as virtual
from pennyworth.decide.keys import Wanted, sealer
from pennyworth.errors import RequestError
from pennyworth.plan import Limits
from pennyworth.secret import Secret
from pennyworth.server.asked import Asked
from pennyworth.server.public import PublicDoor
from pennyworth.server.request_head import Head, read_head
from pennyworth.testing.scripted import chat_json, reply
from tests.door.raw import question
from tests.engine.conftest import hear, open_house

BODY = question("may I?")
ANY, SMALL = Allowance(), Allowance(models=("gpt-4o-mini",))
OTHER = Allowance(models=("o3",))
CONFIGURED = "the-configured-key"
names, allowances = st.sampled_from(["a", "b", "c"]), st.sampled_from([ANY, SMALL, OTHER])


class Known(msgspec.Struct):
    """A key as the test knows it: its secrets, each with the time until which it should hold."""

    holds: dict[str, float]
    ends_s: float
    team: str
    may: Allowance


def head_with(secret: str) -> Head:
    pairs = [(b"host", b"a"), (b"authorization", b"Bearer " + secret.encode()), (b"content-length", b"%d" % len(BODY))]
    target = b"/v1/chat/completions"
    return read_head(method=b"POST", target=target, version="1.1", pairs=pairs, keep_alive=True, limits=Limits())


class Changes(RuleBasedStateMachine):
    """Changes come as they come in life: through the key book, the clock, and a reloaded configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.house = self.loop.run_until_complete(self._open())
        self.runtime = self.house.runtime
        self.door = PublicDoor(self.runtime.engine, self.runtime.parts.keyring)
        self.seal = sealer(self.runtime.parts.keyring)
        self.known: dict[str, Known] = {}
        self.heads: dict[str, Head] = {CONFIGURED: head_with(CONFIGURED), "pw-of-nobody": head_with("pw-of-nobody")}
        self.waiting: list[tuple[str, Asked]] = []
        self.made = 0
        self.plan(configured=False, team=True, everyone=ANY)

    async def _open(self):
        return open_house(then=reply(json=chat_json("fine", usage=(120, 40))))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.runtime.close())
        self.loop.close()

    @property
    def now_s(self) -> float:
        return self.house.clock.now_s

    @rule(name=names, lives_s=st.sampled_from([0.0, 40.0]), team=st.sampled_from(["", "t"]), may=allowances)
    def create(self, name: str, lives_s: float, team: str, may: Allowance) -> None:
        wanted = Wanted(name=name, scope=name, share="scope", lives_s=lives_s, team=team, allowance=may)
        secret, now_s = self._secret(), self.now_s
        if self._change(lambda row: virtual.create(row, virtual.made(wanted, secret, self.seal, now_s), ())):
            ends_s = now_s + lives_s if lives_s else float("inf")
            self.known[name] = Known(holds={secret: ends_s}, ends_s=ends_s, team=team, may=may)

    @rule(name=names, grace_s=st.sampled_from([0.0, 15.0, 60.0]))
    def rotate(self, name: str, grace_s: float) -> None:
        secret, now_s = self._secret(), self.now_s
        if self._change(lambda row: virtual.rotate(row, name, secret, self.seal, now_s, grace_s)):
            key = self.known[name]
            newest = list(key.holds)[-1]
            key.holds = {newest: min(now_s + grace_s, key.ends_s), secret: key.ends_s}

    @rule(name=names)
    def revoke(self, name: str) -> None:
        now_s = self.now_s
        if self._change(lambda row: virtual.revoke(row, name, now_s)):
            self.known[name].holds = dict.fromkeys(self.known[name].holds, 0.0)

    @rule(wait_s=st.sampled_from([10.0, 30.0]))
    def wait(self, wait_s: float) -> None:
        self.house.clock.now_s += wait_s

    @rule(configured=st.booleans(), team=st.booleans(), everyone=allowances)
    def plan(self, configured: bool, team: bool, everyone: Allowance) -> None:
        """A reload. The configured key bears the name of a virtual one."""
        keys = (ClientKey(name="b", secret=Secret(CONFIGURED), scope="b"),) if configured else ()
        teams = (Team(name="t", allowance=SMALL),) if team else ()
        self.now_plan = (configured, team, everyone)
        plan = replace(self.runtime.state.plan, keys=keys, teams=teams, everyone=everyone)
        self.runtime.adopt(self.runtime.prepare(plan))

    @invariant()
    def everyone_is_let_in_who_should_be_and_nobody_else(self) -> None:
        self.runtime.tenancy.look()  # as the poll does
        for secret, asked in self.waiting:  # their heads came before the change, their bodies come now
            assert self._status(asked) == self._expected(secret), secret
        for secret, head in self.heads.items():
            assert self._status(Asked(head, BODY)) == self._expected(secret), secret
        self.waiting = [(secret, Asked(head, BODY)) for secret, head in self.heads.items()]
        for _, asked in self.waiting:
            self.door.preview(asked)

    def _expected(self, secret: str) -> int:
        configured, team, everyone = self.now_plan
        if not self.known and not configured:
            return 200 if everyone != OTHER else 403  # no key, no lock
        if secret == CONFIGURED:
            return (200 if everyone != OTHER else 403) if configured else 401
        for name, key in self.known.items():
            if key.holds.get(secret, 0.0) > self.now_s:
                if (name == "b" and configured) or (key.team and not team):
                    return 401
                return 403 if OTHER in (key.may, everyone) else 200
        return 401

    def _status(self, asked: Asked) -> int:
        return self.loop.run_until_complete(self._answer(asked))

    async def _answer(self, asked: Asked) -> int:
        handled = self.door.preview(asked) if asked.tenants is None else None
        handled = handled or self.door.answer(asked)
        return (await hear(await handled if inspect.isawaitable(handled) else handled)).status

    def _secret(self) -> str:
        self.made += 1
        secret = f"pw-secret-{self.made:020d}"
        self.heads[secret] = head_with(secret)
        return secret

    def _change(self, apply) -> bool:
        try:
            changed: KeySet = self.runtime.parts.keybook.change(apply)
        except RequestError:
            return False
        return bool(changed)


Changes.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestChanges = Changes.TestCase
