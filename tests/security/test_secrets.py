"""Thirty secrets planted in configuration, requests and replies, with faults, over a whole gateway; and looked for in every
place where anything comes out: logs, metrics, admin answers, errors, receipts, and every file of the state directory.
"""

from __future__ import annotations

import asyncio
import base64
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from pennyworth.assemble import MEMORY, open_runtime
from pennyworth.clients import ClientKey
from pennyworth.engine.relay import Relay
from pennyworth.plan import Plan, Road
from pennyworth.ports import Call, Exchange
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.server import logs
from pennyworth.testing.chat_bytes import chat_events, chat_json, error_json, event
from pennyworth.testing.scripted_server import Connection, connection, http_head, send
from pennyworth.wire.chat.request import read_request
from tests.door.raw import RawReply, Wire, post, question
from tests.door.running import Logged, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream
from tests.server.gateways import GatewayThread


def canary(place: str) -> str:
    return f"sk-canary-{place}-2f8e6d4c0b1a3957"


OURS = ["provider", "provider-header", "other-provider", "client", "other-client", "admin", "webhook", "proxy"]
"""The operator's: no caller may hear of them either."""

CALLERS = [
    *("stranger", "basic", "odd-case", "cookie", "header", "query", "idempotency", "path", "head", "wrong-admin"),
    *("prompt", "system", "tool", "user", "metadata", "schema", "body-key", "no-json", "wrong-type", "admin-body"),
]
PROVIDERS = ["error", "error-header", "set-cookie", "malformed", "not-http", "chunk", "event", "trailing"]
DEFECTS = ["defect"]
ALL = OURS + CALLERS + PROVIDERS


def _c(place: str) -> bytes:
    return canary(place).encode()


ECHO = f"Incorrect API key provided: {canary('provider')} ({canary('provider-header')})"
SCRIPT: list[Connection] = [
    connection(send(last_reply(chat_json("fine"), headers={"set-cookie": canary("set-cookie")}))),
    connection(
        send(
            last_reply(
                error_json(f"broken: {canary('error')}"), status="400 Bad", headers={"x-e": canary("error-header")}
            )
        )
    ),
    connection(send(last_reply(error_json(ECHO), status="401 Unauthorized"))),
    connection(send(last_reply(error_json(ECHO), status="403 Forbidden", headers={"www-authenticate": ECHO}))),
    connection(send(last_reply(b'{"choices": ' + _c("malformed")))),
    connection(
        send(last_stream([*chat_events(["half"])[:2], event({"error": {"message": canary("event")}})], ended=False))
    ),
    connection(send(last_reply(chat_json("fine"), length=len(chat_json("fine"))) + _c("trailing"))),
    connection(send(http_head(headers={"transfer-encoding": "chunked"}) + _c("chunk") + b"\r\n")),
]
_THEN = connection(send(b"SSH-2.0-" + _c("not-http") + b"\r\n"))
"""Whatever is asked beyond the script, retries included."""


def requests() -> Iterator[bytes]:
    headers = (
        f"aUtHoRiZaTiOn: bEaReR {canary('client')}",
        f"Cookie: s={canary('cookie')}",
        f"X-Secret: {canary('header')}",
        f"Idempotency-Key: {canary('idempotency')}",
    )
    fields = {
        "user": canary("user"),
        "metadata": {"token": canary("metadata")},
        "tools": [{"type": "function", "function": {"name": "f", "description": canary("tool")}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "description": canary("schema")}},
    }
    for number in range(len(SCRIPT) + 2):
        messages = [
            {"role": "system", "content": canary("system")},
            {"role": "user", "content": f"{canary('prompt')} {number}"},
        ]
        body = question(messages=messages, stream=number == 5, **({} if number < 5 else fields))
        unique = tuple(line + (f"-{number}" if line.startswith("Idempotency") else "") for line in headers)
        yield post(body, *unique, path=f"/v1/chat/completions?key={canary('query')}")
    for body in (
        question(api_key=canary("body-key")),
        b'{"model": "m", %b' % _c("no-json"),
        question(messages=canary("wrong-type")),
        question(model=[canary("wrong-type")]),
        question(user=[canary("user")], n=canary("wrong-type")),
    ):
        yield post(body, *headers)
    yield post(question(model="other/gpt-4o"), *headers)
    yield post(question(), f"authorization: BEARER {canary('odd-case')}")
    yield post(question(), f"Authorization: Basic {canary('basic')}")
    yield post(question(), f"X-API-KEY: {canary('stranger')}")
    yield f"GET /v1/{canary('path')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    yield f"GET /{canary('path')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    yield f"GET /v1/models HTTP/1.1\r\nHost: a\r\nBroken {canary('head')}\r\n\r\n".encode()
    yield f"{canary('head')} / HTTP/1.1\r\nHost: a\r\n\r\n".encode()


class Sinks(NamedTuple):
    """Everything that came out anywhere."""

    replies: list[RawReply]
    told: dict[str, str]
    files: dict[str, bytes]
    seen: list[bytes]


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Sinks:
    folder = tmp_path_factory.mktemp("state")
    stream, libraries = io.StringIO(), Logged()
    log = logs.open_log("debug", stream)
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    try:
        logs.adopt_library_logs(log)
        root.addHandler(libraries)
        with (
            ScriptedProvider(SCRIPT, then=_THEN) as provider,
            GatewayThread(_plan(provider.base_url, folder)) as gateway,
        ):
            replies = [reply for sent in requests() if (reply := _ask(gateway.public_url, sent))]
            told = dict(_admin(gateway))
            for part, what in gateway.troubles:
                logs.reporter(log)(part, what)
            seen = list(provider.requests)
            files = {
                path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "secret"
            }
            told |= {"troubles": repr(gateway.troubles), "start": "\n".join(gateway.lines())}
    finally:
        root.handlers, root.level = before
    told |= {"log": stream.getvalue(), "libraries": "\n".join(libraries.lines)}
    files |= {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "secret"}
    return Sinks(replies, told, files, seen)


def _plan(url: str, folder: Path) -> Plan:
    plan = plan_for(
        url,
        state_dir=str(folder),
        allow_anonymous=False,
        keys=(
            ClientKey(name="app", secret=Secret(canary("client")), scope="app"),
            ClientKey(name="other", secret=Secret(canary("other-client")), scope="other"),
        ),
        admin_key=Secret(canary("admin")),
        alert_webhook=Secret(f"http://127.0.0.1:9/{canary('webhook')}"),
        provider={"credential": Secret(canary("provider")), "headers": (("x-org", canary("provider-header")),)},
    )
    other = msgspec.structs.replace(
        plan.providers[0],
        name="other",
        models=("other-*",),
        credential=Secret(canary("other-provider")),
        headers=(),
        road=Road(proxy=url.removesuffix("/v1"), proxy_key=Secret(f"user:{canary('proxy')}")),
    )
    listen = msgspec.structs.replace(plan.listen, port=0, admin_port=0)
    return msgspec.structs.replace(plan, providers=(*plan.providers, other), listen=listen)


def _ask(url: str, sent: bytes) -> RawReply | None:
    with Wire(int(url.rpartition(":")[2])) as wire:
        return wire.send(sent).read()


def _admin(gateway: GatewayThread) -> Iterator[tuple[str, str]]:
    """Every admin answer, and those to calls that are refused."""
    key = {"Authorization": f"Bearer {canary('admin')}"}

    def get(path: str) -> Any:
        return gateway.admin("GET", path, None, key)

    for route in get("/").json["routes"]:
        method, path = route.split(" ")
        if method == "GET" and "{" not in path:
            yield path, get(path).body.decode()
        elif method != "GET":
            yield f"wrong {route}", gateway.admin(method, path, {"x": 1}, key).body.decode()
    for receipt in get("/api/v1/receipts?limit=1000").json["receipts"]:
        yield receipt["id"], get(f"/api/v1/receipts/{receipt['id']}").body.decode()
    for group in ("model", "scope", "served", "route", "day", "hour"):
        yield group, get(f"/api/v1/totals?by={group}").body.decode()
    refused = gateway.admin("GET", "/metrics", None, {"Authorization": f"Bearer {canary('wrong-admin')}"})
    yield "refused", refused.body.decode() + repr(refused.headers)
    odd = gateway.admin("POST", "/api/v1/purge", b"{" + _c("admin-body"), key | {"Content-Type": "application/json"})
    yield "odd", odd.body.decode()


_IN_BASE64 = base64.b64encode(b"user:" + _c("proxy"))


def test_the_canaries_flew(sinks: Sinks) -> None:
    """Else the rest of this proves nothing."""
    assert len(set(ALL + DEFECTS)) >= 30
    assert len(sinks.replies) == len(list(requests()))
    assert {reply.status for reply in sinks.replies} >= {200, 400, 401, 404}
    everything = b"".join(sinks.seen)
    for place in ("provider", "provider-header", "prompt", "system", "tool", "metadata", "schema"):
        assert _c(place) in everything, place
    assert _IN_BASE64 in everything, "the proxy was shown its password"
    assert len(sinks.seen) >= len(SCRIPT)
    assert len(sinks.told) > 30
    assert "/metrics" in sinks.told
    assert {"answers.db", "ledger.db", "control.db"} <= set(sinks.files)


@pytest.mark.parametrize("place", ALL)
def test_a_secret_is_in_no_log_no_metric_no_admin_answer_and_no_file(sinks: Sinks, place: str) -> None:
    assert [name for name, text in sinks.told.items() if canary(place) in text] == []
    # The first result of an idempotent request is taken down as it was given, whatever the provider had written into it.
    results = "idempotency.db" if place in PROVIDERS else "none"
    found = [name for name, data in sinks.files.items() if _c(place) in data or _IN_BASE64 in data]
    assert [name for name in found if not name.startswith(results)] == []
    assert _IN_BASE64.decode() not in "".join(sinks.told.values())


@pytest.mark.parametrize("place", OURS)
def test_no_caller_hears_of_the_operators_secrets_even_when_a_provider_says_them(sinks: Sinks, place: str) -> None:
    everything = b"\n".join(reply.body + repr(reply.headers).encode() for reply in sinks.replies)
    assert _c(place) not in everything


@pytest.mark.parametrize("place", ["stranger", "basic", "odd-case", "cookie", "header", "query", "idempotency", "head"])
def test_what_stood_in_a_head_is_not_said_back(sinks: Sinks, place: str) -> None:
    assert all(_c(place) not in reply.body + repr(reply.headers).encode() for reply in sinks.replies)


class Broken:
    """An upstream with a defect of its own, whose words hold everything."""

    async def open(self, call: Call) -> Exchange:
        raise RuntimeError(f"{canary('defect')} {call.headers} {call.body!r}")

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_defect_tells_its_place_and_none_of_what_it_says() -> None:
    said: list[str] = []
    plan = plan_for("http://127.0.0.1:9/v1", state_dir=MEMORY, provider={"credential": Secret(canary("provider"))})
    runtime = open_runtime(plan, lambda part, what: said.append(f"{part}: {what}"), upstream=Broken())
    request = read_request(question(canary("prompt"), user=canary("user")), {}, Caller("local"))
    given = await runtime.engine.handle(request)
    reply = await given.reply() if isinstance(given, Relay) else given
    body = reply.body + (await given.read() if isinstance(given, Relay) and reply.more else b"")
    receipts = msgspec.json.encode(runtime.parts.ledger.receipts(10))
    await asyncio.wait_for(runtime.close(), 10.0)
    assert reply.status >= 500
    assert any("RuntimeError" in line and "test_secrets.py" in line for line in said)
    everything = body + repr(reply.headers).encode() + receipts + "\n".join(said).encode()
    assert b"canary" not in everything


def test_the_callers_own_credential_is_forwarded_and_nowhere_else(tmp_path: Path) -> None:
    said = f"Bearer {canary('own')}"
    with ScriptedProvider(
        [
            connection(send(last_reply(error_json(f"no such key {canary('own')}"), status="401 No"))),
            connection(send(last_reply(chat_json("fine")))),
        ]
    ) as provider:
        plan = plan_for(
            provider.base_url, state_dir=str(tmp_path), provider={"forward_caller": True, "credential": Secret("")}
        )
        listen = msgspec.structs.replace(plan.listen, port=0, admin_port=0)
        with GatewayThread(msgspec.structs.replace(plan, listen=listen, allow_anonymous=True)) as gateway:
            for _ in range(2):
                _ask(gateway.public_url, post(question(user="u"), f"AUTHORIZATION: {said}"))
            told = gateway.admin("GET", "/api/v1/receipts").body + gateway.admin("GET", "/metrics").body
            assert b"credential:" in told
            assert _c("own") not in told
            assert canary("own") not in repr(gateway.troubles)
        assert all(_c("own") in request for request in provider.requests)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and _c("own") in path.read_bytes()] == []
