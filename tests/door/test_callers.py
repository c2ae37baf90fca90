"""Who may come in, and as whom: the gatekeeper's rows, and the door that asks it."""

from __future__ import annotations

import pytest

from pennyworth.clients import ClientKey, KeySet
from pennyworth.decide.key import Keyring
from pennyworth.decide.keys import sealer
from pennyworth.decide.tenants import tenants_of
from pennyworth.errors import RequestError
from pennyworth.plan import Plan, Provider
from pennyworth.secret import Secret
from pennyworth.server.auth import Gatekeeper
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.conftest import MakeGateway
from tests.door.raw import Wire, post, question
from tests.door.scripted_provider import last_reply

KEYRING = Keyring(b"s" * 32)
ALICE, BOB = "pw-alice-0123456789", "pw-bob-0123456789ab"
KEYS = (
    ClientKey(name="alice", secret=Secret(ALICE), scope="team-a"),
    ClientKey(name="bob", secret=Secret(BOB), scope="team-b"),
)
OWN = Provider(name="openai", base_url="https://api.openai.com/v1", forward_caller=True)
PLAIN = Provider(name="openai", base_url="https://api.openai.com/v1")


def keeper(*, keys: tuple[ClientKey, ...] = (), forward: bool = False, anonymous: bool = False) -> Gatekeeper:
    plan = Plan(providers=(OWN if forward else PLAIN,), keys=keys, allow_anonymous=anonymous)
    return Gatekeeper(plan, tenants_of(plan, KeySet(), 0.0, sealer(KEYRING)), KEYRING)


@pytest.mark.parametrize("order", [0, 1])
def test_each_key_opens_as_its_own_scope_however_it_is_shown(order: int):
    door = keeper(keys=KEYS, anonymous=True)
    shown = [(f"Bearer {ALICE}", ""), (f"bearer  {ALICE}", ""), ("", ALICE), ("Basic dXNlcg==", ALICE)]
    assert {door.admit(*each).scope for each in shown[:: 1 - 2 * order]} == {"team-a"}
    assert door.admit(f"Bearer {BOB}").scope == "team-b"


def test_a_proxys_own_authorization_does_not_lend_one_callers_key_to_another():
    """A proxy that gives every request the same Authorization: who asks is in x-api-key alone."""
    door = keeper(keys=KEYS)
    same = "Basic cHJveHk6cHJveHk="
    assert door.admit(same, ALICE).scope == "team-a"
    assert door.admit(same, BOB).scope == "team-b"
    with pytest.raises(RequestError):
        door.admit(same)


@pytest.mark.parametrize(
    ("authorization", "api_key", "words"),
    [
        ("", "", "No key came."),
        ("Bearer ", "", "No key came."),
        (f"Bearer {ALICE}x", "", "The key ending in …789x is not known"),
        (f"Bearer {ALICE[:-1]}", "", "The key ending in …5678 is not known"),
        (f"Bearer Bearer {ALICE}", "", "The word 'Bearer' stands there twice"),
        (ALICE, "", "No key came."),
        ("Bearer short", "", "That key is not known"),
        ("", "sk-openai-0123456789", "provider keys are kept here"),
        ("Bearer \ud800", "", "is not known"),
    ],
)
def test_a_door_with_keys_lets_nobody_else_in(authorization: str, api_key: str, words: str):
    door = keeper(keys=KEYS, anonymous=True, forward=True)
    for _ in range(2):
        with pytest.raises(RequestError) as refused:
            door.admit(authorization, api_key)
        assert refused.value.status == 401
        assert words in refused.value.message
        assert ALICE not in refused.value.message


def test_without_keys_a_door_serves_whom_the_operator_said():
    assert keeper(anonymous=True).admit("").scope == "local"
    assert keeper(anonymous=True).admit("Bearer sk-what-an-sdk-must-send").scope == "local"
    with pytest.raises(RequestError, match="sets PENNYWORTH_KEY"):
        keeper().admit("Bearer x")
    with pytest.raises(RequestError, match="Send yours"):
        keeper(forward=True).admit("")


def test_a_forwarded_credential_is_its_own_scope_and_shows_itself_nowhere():
    door = keeper(forward=True)
    mine, yours = door.admit("Bearer sk-mine-0123456789"), door.admit("Bearer sk-yours-0123456789")
    assert mine.scope != yours.scope
    assert door.admit("Bearer sk-mine-0123456789") == mine
    assert mine.credential == "Bearer sk-mine-0123456789"
    assert "sk-mine" not in repr(mine)
    assert "sk-mine" not in mine.scope
    assert "sk-mine" not in repr(vars(door))


def test_callers_of_two_scopes_never_share_an_answer(scripted: MakeGateway):
    replies = [connection(send(last_reply(chat_json(text)))) for text in ("for a", "for b")]
    gateway, provider = scripted(replies, keys=KEYS, allow_anonymous=False)
    heard = []
    with Wire(gateway.port) as wire:
        for key in (ALICE, BOB, ALICE, BOB):
            reply = wire.send(post(question("the same"), f"Authorization: Bearer {key}")).read()
            assert reply is not None
            heard.append(reply.body)
    assert heard[:2] == [chat_json("for a"), chat_json("for b")] == heard[2:]
    assert [receipt.scope for receipt in gateway.receipts()] == ["team-a", "team-b"] * 2
    assert all(b"pw-alice" not in request and b"pw-bob" not in request for request in provider.requests)


def test_a_stranger_is_told_so_in_openais_shape_and_the_provider_never_hears_of_him(scripted: MakeGateway):
    gateway, provider = scripted(keys=KEYS, allow_anonymous=False)
    with Wire(gateway.port) as wire:
        for ask in (
            post(question()),
            post(question(), "Authorization: Bearer nonsense"),
            b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            refused = wire.send(ask).read()
            assert refused is not None
            assert (refused.status, refused.error["type"]) == (401, "authentication_error")
            assert refused.headers["www-authenticate"] == "Bearer"
        health = wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").read()
        assert health is not None
        assert health.status == 200
    assert provider.connections == 0
    assert gateway.receipts() == []


def test_the_callers_own_key_goes_to_the_provider_where_the_operator_says_so(scripted: MakeGateway):
    reply = connection(send(last_reply(chat_json("yes"))))
    gateway, provider = scripted(then=reply, provider={"forward_caller": True}, allow_anonymous=False)
    with Wire(gateway.port) as wire:
        assert wire.send(post(question(), "Authorization: Bearer sk-of-the-caller")).read()
    assert b"authorization: bearer sk-of-the-caller" in provider.requests[0].lower()
    assert b"sk-provider-key" not in provider.requests[0]
    assert gateway.last().scope.startswith("credential:")


def test_an_anthropic_sdks_key_goes_on_as_it_was_shown_and_has_a_scope_of_its_own(scripted: MakeGateway):
    reply = connection(send(last_reply(chat_json("yes"))))
    gateway, provider = scripted(then=reply, provider={"forward_caller": True}, allow_anonymous=True)
    with Wire(gateway.port) as wire:
        for mine in ("sk-ant-mine", "sk-ant-yours"):
            assert wire.send(post(question(), f"x-api-key: {mine}")).read()
    for asked, mine in zip(provider.requests, (b"sk-ant-mine", b"sk-ant-yours"), strict=True):
        assert b"x-api-key: " + mine in asked.lower()
        assert b"authorization" not in asked.lower()
    scopes = {receipt.scope for receipt in gateway.receipts()}
    assert len(scopes) == 2
    assert all(scope.startswith("credential:") for scope in scopes)
