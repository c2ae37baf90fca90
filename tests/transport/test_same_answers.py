"""What one door answers, every other door answers: the server over a socket, and the transports in this process.

Each case is played to each door with a provider of its own, whose bytes are scripted, so that replies can be compared
byte by byte; only ids, times and what frames a reply on its way through a socket may differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import pytest

from pennyworth.clients import Allowance, Budget, ClientKey
from pennyworth.outcome import Receipt
from pennyworth.plan import Persistence, Plan
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_events, chat_json, error_json
from pennyworth.testing.scripted_server import Connection, connection, reset, send
from pennyworth.wire.dialects import CODECS
from tests.door.running import plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream
from tests.transport import test_anthropic
from tests.transport.doors import TRANSPORTS, Answer, Door, Question, server

EVENTS = chat_events("For the fire hose.", usage=(12, 5))
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
LITTLE = Budget(period="month", amount="0.000001")
KEYS = (
    ClientKey(name="shop", secret=Secret("sk-shop-key-00001"), scope="shop"),
    ClientKey(name="lab", secret=Secret("sk-lab-key-000001"), scope="lab"),
    ClientKey(name="poor", secret=Secret("sk-poor-key-00001"), scope="poor", allowance=Allowance(budgets=(LITTLE,))),
)


class Case(NamedTuple):
    """``script``: the provider's connections. ``statuses``: of the answers. ``served``: of the receipts, one each."""

    name: str
    script: tuple[Connection, ...]
    questions: tuple[Question, ...]
    statuses: tuple[int, ...]
    served: tuple[str, ...] = ()
    plan: Mapping[str, Any] = {}


def chat(text: str = "Why are fire engines red?", headers: Mapping[str, str] | None = None, **fields: Any) -> Question:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **fields}
    return Question(json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})


def replies(body: bytes, status: str = "200 OK", **headers: str) -> Connection:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return connection(send(last_reply(body, status=status, headers=named)))


GOOD = replies(chat_json("For the fire hose.", usage=(12, 5)), x_request_id="req_provider_1")
STREAM = connection(send(last_stream(EVENTS)))
SHOP = {"authorization": "Bearer sk-shop-key-00001"}
LAB = {"x-api-key": "sk-lab-key-000001"}
POOR = {"authorization": "Bearer sk-poor-key-00001"}

CASES = (
    Case("an answer", (GOOD,), (chat(),), (200,), ("upstream",)),
    Case("a hit", (GOOD,), (chat(), chat()), (200, 200), ("upstream", "exact")),
    Case(
        "another wording",
        (GOOD,),
        (chat(), chat(" Why are  fire engines red? ")),
        (200, 200),
        ("upstream", "normalised"),
    ),
    Case("a stream", (STREAM,), (chat(stream=True),), (200,), ("upstream",)),
    Case(
        "a stream with usage, live and kept",
        (STREAM,),
        (chat(stream=True, stream_options={"include_usage": True}),) * 2,
        (200, 200),
        ("upstream", "exact"),
    ),
    Case("a stream of a kept answer", (GOOD,), (chat(), chat(stream=True)), (200, 200), ("upstream", "exact")),
    Case(
        "a tool call",
        (replies(chat_json(None, finish="tool_calls", message={"tool_calls": [CALL]})),) * 2,
        (chat(tools=[{"type": "function", "function": {"name": "weather"}}]),) * 2,
        (200, 200),
        ("upstream", "upstream"),
    ),
    Case(
        "a bypass", (GOOD, GOOD), (chat(), chat(headers={"cache-control": "no-cache"})), (200, 200), ("upstream",) * 2
    ),
    Case("nothing kept", (), (chat(headers={"cache-control": "only-if-cached"}),), (504,), ("none",)),
    Case(
        "the provider's refusal",
        (replies(error_json("no such size", code="bad_size"), "400 Bad Request"),),
        (chat(),),
        (400,),
        ("none",),
    ),
    Case(
        "a rate limit",
        (replies(error_json("slow down"), "429 Too Many Requests", retry_after="60"),),
        (chat(),),
        (429,),
        ("none",),
    ),
    Case("a failing provider", (replies(error_json("oh"), "500 Oh"),), (chat(),), (500,), ("none",)),
    Case("a hung-up provider", (connection(reset()),), (chat(),), (502,), ("none",)),
    Case(
        "a stream that breaks off", (connection(send(last_stream(EVENTS[:3])), reset()),), (chat(stream=True),), (200,)
    ),
    Case(
        "a failure retried",
        (replies(error_json("oh"), "500 Oh"), GOOD),
        (chat(),),
        (200,),
        ("upstream",),
        {"provider": {"persistence": Persistence(tries=2, pause_s=0.01, retry_share=1.0)}},
    ),
    Case("no JSON", (), (Question(b"{", {"content-type": "application/json"}),), (400,), ("none",)),
    Case("no model", (), (Question(b'{"messages": []}'),), (400,), ("none",)),
    Case("a compressed body", (), (chat(headers={"content-encoding": "gzip"}),), (415,), ("none",)),
    Case("no such path", (), (Question(b"{}", path="/v2/chat"),), (404,)),
    Case("the wrong method", (), (Question(method="GET"),), (405,)),
    Case("models", (), (Question(path="/v1/models", method="GET"),), (200,), (), {"provider": {"models": ("gpt-4o",)}}),
    Case(
        "a key that is not known",
        (),
        (chat(headers={"authorization": "Bearer sk-who-is-this"}),),
        (401,),
        (),
        {"keys": KEYS},
    ),
    Case("no key", (), (chat(),), (401,), (), {"keys": KEYS}),
    Case("a key", (GOOD,), (chat(headers=SHOP),) * 2, (200, 200), ("upstream", "exact"), {"keys": KEYS}),
    Case(
        "scopes apart",
        (GOOD, GOOD),
        (chat(headers=SHOP), chat(headers=LAB)),
        (200, 200),
        ("upstream", "upstream"),
        {"keys": KEYS},
    ),
    Case("beyond a budget", (), (chat(headers=POOR),), (429,), ("none",), {"keys": KEYS}),
    Case(
        "once",
        (GOOD,),
        (chat(headers={"idempotency-key": "k-1"}),) * 2,
        (200, 200),
        ("upstream", "replayed"),
    ),
    Case("tags", (GOOD,), (chat(headers={"x-pennyworth-tags": "a, b"}),), (200,), ("upstream",)),
    Case("a header that cannot be", (), (chat(headers={"x-pennyworth-tags": "," + "x" * 200}),), (400,), ("none",)),
)


ANTHROPIC = {"provider": test_anthropic.SPEAKS["provider"]}
MESSAGE = Question(json.dumps(test_anthropic.ASKED).encode(), path="/v1/messages")
EVENTS_ASKED = Question(json.dumps({**test_anthropic.ASKED, "stream": True}).encode(), path="/v1/messages")
MESSAGES = (
    Case("a message", (test_anthropic.whole(),), (MESSAGE,) * 2, (200, 200), ("upstream", "exact"), ANTHROPIC),
    Case("its stream", (test_anthropic.streamed(),), (EVENTS_ASKED,) * 2, (200, 200), ("upstream", "exact"), ANTHROPIC),
    Case("no message", (), (Question(b"{}", path="/v1/messages"),), (400,), ("none",), ANTHROPIC),
    Case("a message without a key", (), (MESSAGE,), (401,), (), {**ANTHROPIC, "keys": KEYS}),
)
CASES += MESSAGES if "messages" in CODECS else ()


class Played(NamedTuple):
    answers: list[Answer]
    receipts: list[Receipt]
    calls: int


@pytest.fixture(scope="module")
def at_the_server() -> Callable[[Case], Played]:
    """What the server answers, asked once a case."""
    known: dict[str, Played] = {}

    def played(case: Case) -> Played:
        if case.name not in known:
            known[case.name] = play(case, server)
        return known[case.name]

    return played


def play(case: Case, open_door: Callable[[Plan], AbstractContextManager[Door]]) -> Played:
    with ScriptedProvider(case.script) as provider, open_door(plan_for(provider.base_url, **case.plan)) as door:
        answers = [door.ask(question) for question in case.questions]
        return Played(answers, door.receipts(), len(provider.requests))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_server_answers_as_it_should(case: Case, at_the_server: Callable[[Case], Played]):
    played = at_the_server(case)
    assert tuple(answer.status for answer in played.answers) == case.statuses
    if case.served:
        assert tuple(receipt.served for receipt in played.receipts) == case.served
    assert played.calls == len(case.script), "the script was played to its end"


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_transport_answers_as_the_server_does(case: Case, name: str, at_the_server: Callable[[Case], Played]):
    here, there = play(case, TRANSPORTS[name]), at_the_server(case)
    assert here.answers == there.answers
    assert here.calls == there.calls
    assert [accounted(receipt) for receipt in here.receipts] == [accounted(receipt) for receipt in there.receipts]


def accounted(receipt: Receipt) -> tuple[object, ...]:
    """What a receipt says, but for ids, times and who wrote it."""
    attempts = [(a.target, a.status, a.ending, a.spent, a.usage, a.why) for a in receipt.attempts]
    return (
        receipt.served,
        receipt.ending,
        receipt.status,
        re.sub(r"r-[0-9a-f-]+", "r-…", receipt.reason),
        receipt.scope,
        receipt.client,
        receipt.spent,
        receipt.would_have_cost,
        receipt.saved,
        receipt.tags,
        attempts,
    )
