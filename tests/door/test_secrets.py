"""Secrets planted everywhere a request or a provider can carry one, and looked for everywhere they could come out."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pennyworth.clients import ClientKey, KeySet
from pennyworth.decide.keys import sealer
from pennyworth.decide.tenants import tenants_of
from pennyworth.plan import Plan, Target
from pennyworth.ports import Call
from pennyworth.secret import Secret
from pennyworth.server import logs, metrics
from pennyworth.server.auth import Gatekeeper
from pennyworth.server.intake import Reader
from pennyworth.server.reload import History
from pennyworth.server.snapshot import merge, take
from pennyworth.testing.chat_bytes import chat_events, chat_json, error_json, event
from pennyworth.testing.scripted_server import Connection, connection, http_head, send
from pennyworth.wire import chat
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Running, plan_for, provider_at
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream


def canary(place: str) -> str:
    return f"sk-canary-{place}-7f3a9c5e1b2d4f60"


OURS = [canary(name) for name in ("provider", "client", "admin")]
"""Of the configuration: they must not reach a caller either."""

FROM_HEADERS = [canary(name) for name in ("stranger", "cookie", "header", "query", "head")]
FROM_BODIES = [
    canary(name)
    for name in (
        "prompt",
        "field",
        "user",
        "metadata",
        "body-key",
        "name-twice",
        "no-json",
        "wrong-type",
        "tool",
        "deep",
        "nested-twice",
    )
]
FROM_THE_PROVIDER = [
    canary(name) for name in ("error", "refusal", "event", "not-http", "chunk", "cookie-set", "malformed")
]
ALL = OURS + FROM_HEADERS + FROM_BODIES + FROM_THE_PROVIDER


def _c(place: str) -> bytes:
    return canary(place).encode()


ECHO = f"Incorrect API key provided: {canary('provider')}. You sent Bearer {canary('provider')}"
SCRIPT: list[Connection] = [
    connection(send(last_reply(chat_json("fine"), headers={"set-cookie": canary("cookie-set")}))),
    connection(send(last_reply(error_json(f"broken near {canary('error')}"), status="500 Oops"))),
    connection(send(last_reply(error_json(ECHO), status="400 Bad Request"))),
    connection(send(last_reply(error_json(ECHO + canary("refusal")), status="401 Unauthorized"))),
    connection(send(last_reply(error_json(ECHO), status="502 Bad Gateway", headers={"x-ratelimit-echo": ECHO}))),
    connection(send(b"SSH-2.0-" + _c("not-http") + b"\r\n")),
    connection(send(http_head(headers={"transfer-encoding": "chunked"}) + _c("chunk") + b"\r\n")),
    connection(send(last_reply(b'{"choices": ' + _c("malformed")))),
    connection(send(last_reply(chat_json("fine")))),
    connection(
        send(last_stream([*chat_events(["half"])[:2], event({"error": {"message": canary("event")}})], ended=False))
    ),
]


def requests() -> Iterator[bytes]:
    """What a careless, a curious and a broken client send."""
    key = f"Authorization: Bearer {canary('client')}"
    secret_headers = (key, f"Cookie: s={canary('cookie')}", f"X-Secret: {canary('header')}")
    fields = {
        "user": canary("user"),
        "metadata": {"token": canary("metadata")},
        "x_field": {"deep": [canary("deep"), canary("field")]},
        "tools": [{"type": "function", "function": {"name": "f", "description": canary("tool")}}],
    }
    for number in range(len(SCRIPT) - 2):
        path = f"/v1/chat/completions?api_key={canary('query')}"
        yield post(question(f"{canary('prompt')} {number}", **fields), *secret_headers, path=path)
    twice = b', "x": {"%b": 1, "%b": 2}}' % (_c("nested-twice"), _c("nested-twice"))
    yield post(question(canary("prompt"))[:-1] + twice, *secret_headers)
    yield post(question(canary("prompt"), stream=True), *secret_headers)
    for body in (
        question(api_key=canary("body-key"), api_base=canary("body-key")),
        b'{"%b":1,"%b":2,"model":"m","messages":[{}]}' % (_c("name-twice"), _c("name-twice")),
        b'{"model": "m", %b' % _c("no-json"),
        question(messages=[canary("wrong-type")]),
        question(messages=canary("wrong-type")),
        question(model=[canary("wrong-type")]),
        question(stream=canary("wrong-type")),
        question(n=canary("wrong-type")),
    ):
        yield post(body, *secret_headers)
    yield post(question(), f"Authorization: Bearer {canary('stranger')}")
    yield post(question(), f"X-Api-Key: {canary('stranger')}")
    yield f"GET /v1/{'x'}?k={canary('query')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    yield f"GET /v1/models HTTP/1.1\r\nHost: a\r\nBroken {canary('head')}\r\n\r\n".encode()
    yield f"{canary('head')} /{canary('head')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


class Sinks:
    """A gateway after all of that: everything it wrote and said."""

    def __init__(self, running: Running, folder: Path, replies: list[RawReply], log: str, seen: list[bytes]) -> None:
        self.replies = replies
        self.log = log
        self.libraries = "\n".join(running.logged.lines)
        self.troubles = "\n".join(running.troubles)
        self.receipts = running.receipts()
        snapshot = running.look(lambda: take(running.runtime, worker="w0", started_s=0.0, in_flight=0))
        self.metrics = metrics.render(merge([snapshot], since_s=0.0), History(0.0), "")[0].decode()
        self.files = {
            path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "secret"
        }
        self.seen = seen


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sinks]:
    folder = tmp_path_factory.mktemp("state")
    stream = io.StringIO()
    log = logs.open_log("debug", stream)
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    with ScriptedProvider(SCRIPT) as provider:
        running = Running(_plan(provider.base_url, folder))
        try:
            logs.adopt_library_logs(log)
            with running:
                report = logs.reporter(log)
                replies = [_ask(running, sent) for sent in requests()]
                for line in running.troubles:
                    report(line, line)
                yield Sinks(
                    running, folder, [reply for reply in replies if reply], stream.getvalue(), provider.requests
                )
        finally:
            root.handlers, root.level = before


def _plan(url: str, folder: Path) -> Plan:
    return plan_for(
        url,
        state_dir=str(folder),
        allow_anonymous=False,
        keys=(ClientKey(name="app", secret=Secret(canary("client")), scope="app"),),
        admin_key=Secret(canary("admin")),
        provider={"credential": Secret(canary("provider"))},
    )


def _ask(running: Running, sent: bytes) -> RawReply | None:
    with Wire(running.port) as wire:
        return wire.send(sent).read()


def test_the_canaries_flew(sinks: Sinks):
    """Every request was answered, and what should reach the provider did: else the rest of this proves nothing."""
    assert len(sinks.replies) == len(list(requests()))
    assert len(sinks.seen) == len(SCRIPT)
    assert all(_c("provider") in request and _c("prompt") in request for request in sinks.seen)
    assert len(sinks.receipts) == len(SCRIPT) + 8
    assert {"answers.db", "ledger.db", "control.db"} <= set(sinks.files)
    assert sum(len(data) for data in sinks.files.values()) > 50_000


def test_no_secret_is_in_a_log_or_a_metric(sinks: Sinks):
    for secret in ALL:
        assert secret not in sinks.log
        assert secret not in sinks.libraries
        assert secret not in sinks.troubles
        assert secret not in sinks.metrics


def test_no_secret_and_no_prompt_is_in_a_receipt_or_a_file(sinks: Sinks):
    """Journal, ledger, control row, and the answer store, which holds answers and not what was asked."""
    receipts = msgspec.json.encode(sinks.receipts)
    for secret in ALL:
        assert secret.encode() not in receipts
        for name, data in sinks.files.items():
            assert secret.encode() not in data, name


def test_the_caller_reads_nothing_of_our_keys_and_nothing_of_his_own_headers(sinks: Sinks):
    everything = b"\n".join(reply.body + repr(reply.headers).encode() for reply in sinks.replies)
    for secret in OURS + FROM_HEADERS:
        assert secret.encode() not in everything
    assert _c("error") in everything, "the provider's own error is passed on, but for what is ours in it"


def test_no_credential_and_no_prompt_is_in_a_repr():
    provider = provider_at("http://127.0.0.1:9/v1", credential=Secret(canary("provider")))
    plan = Plan(providers=(provider,), keys=(ClientKey(name="a", secret=Secret(canary("client")), scope="a"),))
    with Running(plan_for("http://127.0.0.1:9/v1")) as running:
        forwarding = plan_for("http://x/v1", provider={"forward_caller": True})
        keyring = running.runtime.parts.keyring
        tenants = tenants_of(forwarding, KeySet(), 0.0, sealer(keyring))
        caller = Gatekeeper(forwarding, tenants, keyring).admit(f"Bearer {canary('stranger')}")
        request = Reader(plan, keyring).read(chat, question(canary("prompt")), {"cookie": canary("cookie")}, caller)
        headers = (("authorization", f"Bearer {canary('provider')}"),)
        target = Target(provider=provider, model="m")
        call = Call(target=target, path="/x", headers=headers, body=request.body, stream=False)
        shown = repr([plan, provider, caller, request, call, running.runtime.parts, plan.keys])
    for secret in ALL:
        assert secret not in shown
