"""Idempotency-Key through whole gateways: over several workers, over a restart, over a kill, by the official SDK."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted_server import connection, send, until
from tests.door.conftest import MakeGateway
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream
from tests.server.gateways import GatewayProcess, Reply, call, eventually

Ask = Callable[[], str]


def keyed(gateway: GatewayProcess, key: str, question: str, **more: Any) -> Reply:
    body = {"model": "gpt-4o-mini", "temperature": 1, "messages": [{"role": "user", "content": question}]} | more
    return gateway.post(body, {"Idempotency-Key": key})


def code(reply: Reply) -> str:
    return str(reply.json["error"]["code"])


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    """Counts: every call gets an answer of its own, so that two calls are told apart by their bytes."""
    with ScriptedProvider(then=connection(send(last_reply(chat_json("an answer"))))) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("once")
    with GatewayProcess(folder / "state", provider.base_url, PENNYWORTH_WORKERS="2") as running:
        yield running


def test_a_storm_of_a_hundred_over_two_workers_is_one_call(
    fleet: GatewayProcess, provider: ScriptedProvider, ask_about: Ask
):
    before, question = len(provider.requests), ask_about()

    def until_answered(_: int) -> Reply:
        while True:
            reply = keyed(fleet, "storm", question)
            if reply.status != 409:
                return reply
            assert code(reply) == "idempotency_in_progress"
            assert reply.headers["retry-after"] == "1"
            time.sleep(0.01)  # an SDK waits longer

    with ThreadPoolExecutor(25) as callers:
        replies = list(callers.map(until_answered, range(100)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert len(provider.requests) - before == 1
    receipts = [fleet.receipt_of(reply) for reply in replies]
    assert len({receipt["worker"] for receipt in receipts}) == 2
    assert sum(receipt["spent"]["pico"] > 0 for receipt in receipts) == 1
    served = Counter(receipt["served"] for receipt in receipts)
    assert served["upstream"] == 1
    assert set(served) <= {"upstream", "coalesced", "replayed"}


def test_another_worker_is_told_that_it_is_under_way(tmp_path: Path):
    held = asyncio.Event()
    script = [connection(until(held), send(last_reply(chat_json("late"))))]
    with (
        ScriptedProvider(script) as provider,
        GatewayProcess(tmp_path / "state", provider.base_url, PENNYWORTH_WORKERS="2") as fleet,
    ):
        replies: list[Reply] = []
        callers: list[threading.Thread] = []

        def ask() -> None:
            callers.append(threading.Thread(target=lambda: replies.append(keyed(fleet, "k", "q"))))
            callers[-1].start()

        def refused_by_the_other() -> bool:
            """Whoever comes to the worker that makes the call joins it and waits; the other one says so."""
            ask()
            callers[-1].join(1.0)
            return bool(replies)

        ask()
        assert eventually(lambda: len(provider.requests) == 1)
        assert eventually(refused_by_the_other, 30.0)
        assert [code(reply) for reply in replies] == ["idempotency_in_progress"]
        provider.release(held)
        for caller in callers:
            caller.join(20.0)
        given = [reply for reply in replies if reply.status != 409]
        assert {(reply.status, reply.body) for reply in given} == {(200, given[0].body)}
        assert keyed(fleet, "k", "q").body == given[0].body
        assert len(provider.requests) == 1


@pytest.mark.parametrize("whole", [False, True])
def test_killed_in_between_nobody_knows_and_nobody_pays_again(tmp_path: Path, whole: bool):
    """Only the worker that makes the call, or the whole gateway, which is then started again."""
    held = asyncio.Event()
    with ScriptedProvider([connection(until(held))], then=connection(send(last_reply(chat_json("again"))))) as provider:
        start = lambda: GatewayProcess(tmp_path / "state", provider.base_url, PENNYWORTH_WORKERS="2")  # noqa: E731
        with start() as fleet:
            caller = threading.Thread(target=_quietly, args=(lambda: keyed(fleet, "k", "q"),))
            caller.start()
            assert eventually(lambda: len(provider.requests) == 1)
            stats = fleet.get("/api/v1/cache/stats")["workers"]
            busy = next(worker["pid"] for worker in stats if worker["in_flight"])
            os.kill(busy, signal.SIGKILL)
            if whole:
                for worker in stats:
                    os.kill(worker["pid"], signal.SIGKILL)
                fleet.child.kill()
            caller.join(20.0)
            if not whole:
                _is_unknown(fleet, provider)
        if whole:
            with start() as fleet:
                _is_unknown(fleet, provider)


def _is_unknown(fleet: GatewayProcess, provider: ScriptedProvider) -> None:
    # A killed process loses its hold on files one after the other, its connections perhaps before its sign of life.
    assert eventually(lambda: code(keyed(fleet, "k", "q")) == "outcome_unknown")
    for _ in range(6):  # by either worker
        reply = keyed(fleet, "k", "q")
        assert (reply.status, code(reply)) == (409, "outcome_unknown")
        assert reply.headers["x-should-retry"] == "false"
    assert keyed(fleet, "k", "another").status == 422
    assert len(provider.requests) == 1
    assert keyed(fleet, "a new key", "q").status == 200


def _quietly(call: Callable[[], object]) -> None:
    with suppress(OSError, http.client.HTTPException):  # it is killed meanwhile
        call()


@pytest.mark.parametrize("stream", [False, True])
def test_a_result_outlives_the_gateway(tmp_path: Path, stream: bool):
    answer = last_stream(chat_events(["to ", "keep"], usage=(9, 2))) if stream else last_reply(chat_json("to keep"))
    with ScriptedProvider([connection(send(answer))]) as provider:
        with GatewayProcess(tmp_path / "state", provider.base_url) as gateway:
            first = keyed(gateway, "k", "q", stream=stream)
            assert first.status == 200
        with GatewayProcess(tmp_path / "state", provider.base_url) as gateway:
            again = keyed(gateway, "k", "q", stream=stream)
        assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
        assert len(provider.requests) == 1


def test_while_no_promise_can_be_made_nothing_is_made(tmp_path: Path, provider: ScriptedProvider):
    with GatewayProcess(tmp_path / "state", provider.base_url) as gateway:
        assert keyed(gateway, "k", "q").status == 200
        before = len(provider.requests)
        with closing(sqlite3.connect(tmp_path / "state" / "idempotency.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = keyed(gateway, "another", "q")
            assert (refused.status, code(refused)) == (503, "idempotency_unavailable")
            assert len(provider.requests) == before
            assert gateway.ask("without a key").status == 200
        assert keyed(gateway, "another", "q").status == 200
        assert gateway.get("/api/v1/cache/stats")["process"]["troubles"] == {"idempotency": 1}


def test_the_same_body_under_two_keys_and_without_one_is_three_calls(scripted: MakeGateway, ask_about: Ask):
    running, provider = scripted(then=connection(send(last_reply(chat_json("once")))))
    body = {"model": "gpt-4o-mini", "temperature": 1, "messages": [{"role": "user", "content": ask_about()}]}
    for _ in range(2):
        for headers in ({}, {"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}):
            headers = {"Cache-Control": "no-store"} | headers
            assert call(running.url, "POST", "/v1/chat/completions", body, headers).status == 200
    assert len(provider.requests) == 4


def test_the_official_sdk_by_a_header_of_its_own(scripted: MakeGateway, ask_about: Ask):
    running, provider = scripted(then=connection(send(last_reply(chat_json("once")))))
    with OpenAI(base_url=running.base_url, api_key="sk-any", max_retries=2) as client:

        def create(question: str, key: str) -> Any:
            return client.chat.completions.with_raw_response.create(
                model="gpt-4o-mini",
                temperature=1,
                messages=[{"role": "user", "content": question}],
                extra_headers={"Idempotency-Key": key},
            )

        question = ask_about()
        first, again = create(question, "k"), create(question, "k")
        assert first.parse() == again.parse()
        assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
        assert len(provider.requests) == 1
        with pytest.raises(openai.UnprocessableEntityError, match="used for another request"):
            create(ask_about(), "k")
        with pytest.raises(openai.BadRequestError, match="1 to 255 characters"):
            create(question, "k" * 256)
        assert create(ask_about(), "other").parse().choices[0].message.content == "once"
