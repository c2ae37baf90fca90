"""Virtual keys at the public door: near misses, models, scopes, books, and the official SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import OpenAI

from pennyworth.clients import Allowance, ClientKey, Team
from pennyworth.decide import keys as virtual
from pennyworth.decide.keys import Wanted, sealer
from pennyworth.decide.scope import CONVERSATION_HEADER
from pennyworth.engine.triage import Case, Triage
from pennyworth.outcome import Answer
from pennyworth.plan import ModelSpec, Plan
from pennyworth.request import Caller
from pennyworth.sandbox import SandboxServer
from pennyworth.secret import Secret
from pennyworth.server.intake import Reader
from pennyworth.state_dir import new_client_key
from pennyworth.wire import chat
from pennyworth.wire.asking import USER_HEADER
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running, plan_for

CONFIGURED = "configured-key-0123456789"
Make = Callable[..., str]


def plan_of(url: str) -> Plan:
    team = Team(name="search", allowance=Allowance(models=("gpt-4o*",)))
    return plan_for(
        url,
        keys=(ClientKey(name="app", secret=Secret(CONFIGURED), scope="app"),),
        teams=(team,),
        models={"house-model": ModelSpec(name="house-model", provider="openai", upstream_name="gpt-4o-mini")},
        provider={"models": ("gpt-4o", "gpt-4o-mini", "o4-mini", "*")},
    )


@pytest.fixture(scope="module")
def keyed(sandbox: SandboxServer) -> Iterator[Running]:
    with Running(plan_of(sandbox.base_url)) as running:
        yield running
        assert running.troubles == []


@pytest.fixture(scope="module")
def make(keyed: Running) -> Make:
    """Makes a key as the command line does, and has the worker see it; returns its secret."""
    parts = keyed.runtime.parts
    seal = sealer(parts.keyring)

    def made(name: str, **more: Any) -> str:
        secret = new_client_key()
        key = virtual.made(Wanted(**({"name": name, "scope": name} | more)), secret, seal, 1.0)
        keyed.look(lambda: parts.keybook.change(lambda row: virtual.create(row, key, ())))
        keyed.look(keyed.runtime.tenancy.look)
        return secret

    return made


def send(keyed: Running, secret: str, body: bytes, *headers: str) -> RawReply:
    with Wire(keyed.port) as wire:
        heard = wire.send(post(body, f"Authorization: Bearer {secret}", *headers)).read()
    assert heard is not None
    return heard


def how(keyed: Running, secret: str, body: bytes, *headers: str) -> str:
    assert send(keyed, secret, body, *headers).status == 200
    return keyed.last().served


def changed(secret: str) -> st.SearchStrategy[str]:
    """Everything that is nearly this secret."""
    place = st.integers(0, len(secret) - 1)
    other = st.sampled_from("abcXYZ019-_ ")
    return st.one_of(
        place.map(lambda end: secret[:end]),
        place.map(lambda start: secret[start + 1 :]),
        st.builds(lambda at, char: secret[:at] + char + secret[at + 1 :], place, other),
        st.builds(lambda at, char: secret[:at] + char + secret[at:], place, other.filter(str.strip)),
        st.sampled_from([secret.upper(), secret.lower(), secret.swapcase(), secret * 2, secret + "=", "x" + secret]),
    ).filter(lambda text: text.strip() != secret)


@pytest.fixture(scope="module")
def exact(make: Make) -> str:
    return make("exact")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_secret_that_is_cut_or_changed_anywhere_admits_nobody(keyed: Running, exact: str, data: st.DataObject):
    """CVE-2026-35030: identities remembered by the first twenty characters of a token became each other's."""
    shown = data.draw(changed(exact))
    body = question("who am I?")
    assert send(keyed, exact, body).status == 200  # so that what is remembered of it is there to be mistaken
    assert send(keyed, shown, body).status == 401
    assert keyed.last().client == "exact", "a stranger has no receipt"


def test_the_hash_that_stands_in_the_key_book_opens_nothing(keyed: Running, exact: str):
    """GHSA-69x8-hrgq-fjj8: a password's hash was taken for the password."""
    key = keyed.look(lambda: keyed.runtime.parts.keybook.read().keys["exact"])
    assert send(keyed, exact, question()).status == 200
    for shown in (key.seal, bytes.fromhex(key.seal).decode("latin-1"), key.hint, key.name):
        with Wire(keyed.port) as wire:
            heard = wire.send(post(question()).replace(b"\r\n\r\n", b"\r\nX-Api-Key: " + _printable(shown), 1)).read()
        assert heard is None or heard.status in (400, 401)


def _printable(shown: str) -> bytes:
    return bytes(byte for byte in shown.encode("latin-1") if byte not in b"\r\n\0") + b"\r\n\r\n"


def test_a_key_may_ask_its_models_and_is_told_which(keyed: Running, make: Make):
    secret = make("narrow", allowance=Allowance(models=("gpt-4o-mini", "house-*")))
    assert send(keyed, secret, question(model="gpt-4o-mini")).status == 200
    assert send(keyed, secret, question(model="house-model")).status == 200
    for model in ("gpt-4o", "o4-mini", "openai/gpt-4o-mini", "GPT-4o-mini"):
        refused = send(keyed, secret, question(model=model))
        assert (refused.status, refused.error["code"]) == (403, "model_not_allowed")
        assert "This key may ask gpt-4o-mini, house-*." in refused.error["message"]
        receipt = keyed.last()
        assert (receipt.status, receipt.client, receipt.reason) == (403, "narrow", "model_not_allowed")


def test_a_kept_answer_is_no_way_around_the_models(keyed: Running, make: Make):
    may, may_not = (
        make("may", share="global"),
        make("may-not", share="global", allowance=Allowance(models=("gpt-4o",))),
    )
    asked = question("a question with an answer", model="gpt-4o-mini")
    assert [how(keyed, may, asked) for _ in range(2)] == ["upstream", "exact"]
    assert send(keyed, may_not, asked).status == 403


def test_the_models_listed_are_those_the_key_may_ask(keyed: Running, make: Make):
    def listed(secret: str) -> set[str]:
        with Wire(keyed.port) as wire:
            head = f"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {secret}\r\n\r\n"
            heard = wire.send(head.encode()).read()
        assert heard is not None
        return {model["id"] for model in json.loads(heard.body)["data"]}

    assert listed(CONFIGURED) == {"house-model", "gpt-4o", "gpt-4o-mini", "o4-mini"}
    assert listed(make("lists", allowance=Allowance(models=("house-*", "o9-new")))) == {"house-model", "o9-new"}
    assert listed(make("lists-team", team="search")) == {"gpt-4o", "gpt-4o-mini"}


def test_receipts_and_answers_say_whose_key_asked(keyed: Running, make: Make):
    secret = make("named", team="search")
    body = question("whose is this?", user="bob@example.com")
    assert how(keyed, secret, body) == "upstream"
    receipt = keyed.last()
    assert (receipt.client, receipt.team, receipt.scope) == ("named", "search", "key:named")
    assert receipt.end_user
    assert "bob" not in receipt.end_user
    answer = keyed.run(_kept(keyed, body, Caller("key:named", client="named", team="search")))
    assert (answer.client, answer.end_user) == ("named", receipt.end_user)


async def _kept(keyed: Running, body: bytes, caller: Caller) -> Answer:
    """The answer that is kept for this question."""
    parts, view = keyed.runtime.parts, keyed.runtime.state.snapshot()
    case = Triage(parts.keyring).decide(Reader(view.plan, parts.keyring).read(chat, body, {}, caller), view)
    assert isinstance(case, Case)
    assert case.keys is not None
    kept = await parts.store.get(case.keys.exact, view.wall_s)
    assert kept is not None
    return kept.answer


def test_keys_share_answers_as_they_were_told(keyed: Running, make: Make):
    one, two = make("team-1", share="team", team="search"), make("team-2", share="team", team="search")
    alone, named = make("alone"), make("by-name", share="scope", scope="app")
    asked = question("shared with whom?", model="gpt-4o")
    assert [how(keyed, secret, asked) for secret in (one, two)] == ["upstream", "exact"]
    assert [how(keyed, secret, asked) for secret in (alone, alone)] == ["upstream", "exact"]
    assert [how(keyed, secret, asked) for secret in (CONFIGURED, named)] == ["upstream", "exact"]


@pytest.mark.parametrize("way", ["body", "header"])
def test_answers_stay_within_one_end_user(keyed: Running, make: Make, way: str):
    secret = make(f"by-user-{way}", share="user")

    def ask(user: str) -> str:
        if way == "body":
            return how(keyed, secret, question("mine?", user=user))
        return how(keyed, secret, question("mine?"), f"{USER_HEADER}: {user}")

    assert [ask(user) for user in ("ann", "bob", "ann", "bob")] == ["upstream", "upstream", "exact", "exact"]
    assert {how(keyed, secret, question("mine?")) for _ in range(3)} == {"upstream"}
    assert "shares answers within one end user" in keyed.last().reason


def test_answers_stay_within_one_conversation_of_one_end_user(keyed: Running, make: Make):
    secret = make("by-talk", share="conversation")

    def ask(talk: str, user: str = "ann") -> str:
        return how(keyed, secret, question("again?", user=user), f"{CONVERSATION_HEADER}: {talk}")

    assert [ask(talk) for talk in ("1", "2", "1")] == ["upstream", "upstream", "exact"]
    assert [ask("1", "bob"), ask("1")] == ["upstream", "exact"]
    assert {how(keyed, secret, question("again?")) for _ in range(2)} == {"upstream"}


def test_the_official_sdk_works_with_a_virtual_key_until_it_is_revoked(keyed: Running, make: Make):
    secret = make("sdk", allowance=Allowance(models=("gpt-4o-mini",)))
    asked: Any = {"messages": [{"role": "user", "content": "hello from the SDK"}]}
    with OpenAI(base_url=keyed.base_url, api_key=secret, max_retries=0) as client:
        first = client.chat.completions.create(model="gpt-4o-mini", **asked)
        again = client.chat.completions.create(model="gpt-4o-mini", **asked)
        streamed = list(client.chat.completions.create(model="gpt-4o-mini", stream=True, **asked))
        assert first == again
        assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
        assert [model.id for model in client.models.list()] == ["gpt-4o-mini"]
        with pytest.raises(openai.PermissionDeniedError, match="may ask gpt-4o-mini"):
            client.chat.completions.create(model="gpt-4o", **asked)
        keyed.look(lambda: keyed.runtime.parts.keybook.change(lambda row: virtual.revoke(row, "sdk", 2.0)))
        keyed.look(keyed.runtime.tenancy.look)
        for ask in (lambda: client.chat.completions.create(model="gpt-4o-mini", **asked), client.models.list):
            with pytest.raises(openai.AuthenticationError, match="not known here"):
                ask()
