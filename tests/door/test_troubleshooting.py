"""The page for bad nights quotes the program: what is provoked here is said there, in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pennyworth.clients import Allowance, Budget, ClientKey
from pennyworth.decide import allowance
from pennyworth.decide.allowance import Limit
from pennyworth.plan import ModelSpec
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_events, error_json
from pennyworth.testing.scripted_server import Connection, await_close, connection, http_head, reset, send
from tests.door.conftest import MakeGateway
from tests.door.raw import Wire, post, question
from tests.door.running import Running, free_port, plan_for, provider_at
from tests.door.scripted_provider import last_reply, last_stream

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
KEYS = (ClientKey(name="app", secret=Secret("pw-0123456789abcd"), scope="app"),)


TWO = (provider_at("http://127.0.0.1:9/v1", name="mistral"), provider_at("http://127.0.0.1:9/v1"))
EAR = ModelSpec(name="ear", provider="openai", upstream_name="whisper-1")
FORM = b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\n%b\r\n--b\r\n'
FORMED = "content-type: multipart/form-data; boundary=b"


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode()


def plain(text: str) -> str:
    """Without what differs from case to case: figures, and where the provider is."""
    text = re.sub(r"http://(127\.0\.0\.1|api\.openai\.invalid)[:0-9]*(/v1)?", "URL", text)
    return re.sub(r"[0-9]+([.,][0-9]+)?", "0", text)


def quoted() -> Iterator[tuple[str, ...]]:
    """Every quotation of the page, in pieces: an ellipsis stands for what is left out there."""
    for words in re.findall(r"`([^`]+)`", re.sub(r"(?s)```.*?```", "", PAGE)):
        yield tuple(piece.strip() for piece in plain(words).split("…"))


QUOTED = [pieces for pieces in quoted() if sum(map(len, pieces)) > 20]


def is_quoted(message: str) -> bool:
    said = plain(message).replace("…", "")
    return any(re.search(".*".join(map(re.escape, pieces)), said) for pieces in QUOTED)


def tell(running: Running, sent: bytes) -> str:
    with Wire(running.port) as wire:
        reply = wire.send(sent).read()
    assert reply is not None
    assert reply.status >= 400
    return str(reply.error["message"])


REFUSED: list[tuple[dict[str, Any], bytes]] = [
    ({"keys": KEYS}, post(question())),
    ({"keys": KEYS}, post(question(), "Authorization: Bearer sk-proj-0123456789")),
    ({"keys": KEYS}, post(question(), "Authorization: Bearer Bearer pw-0123456789abcd")),
    ({"allow_anonymous": False}, post(question())),
    ({}, post(question(), path="/chat/completions")),
    ({"provider": {"models": ("gpt-*",)}}, post(question(model="claude-x"))),
    ({}, b"GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n"),
    ({"limits": {"header_timeout_s": 0.1}}, b"POST /v1"),
    ({"limits": {"body_timeout_s": 0.1}}, post(question())[:-1]),
    ({"limits": {"max_body_bytes": 10}}, post(question())),
    ({}, post(b"x", "Content-Encoding: gzip")),
    ({}, post(b"{,}")),
    ({}, post(b'{"model": 1, "model": 2}')),
    ({}, post(question(base_url="http://a"))),
    ({}, post(question(), "Authorization: a", "Authorization: b")),
    ({}, b"\x16\x03\x01\x02\x00" + b"x" * 30),
    ({}, b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ({}, post(question()).replace(b"\r\n", b"\n")),
    ({}, post(question(), *["A: b"] * 101)),
    ({}, post(question(), "Cache-Control: only-if-cached")),
    ({"provider": {"credential": Secret("")}}, post(question())),
    *[({}, get(path)) for path in ("/v1/organization/projects", "/v1/files/../x", "/v1/a|b", "/v1/files/a%2fb")],
    ({}, get("/v1/files", "x-pennyworth-provider: opnai")),
    ({"pass_through": False}, get("/v1/files")),
    ({"provider": {"dialects": ("chat",)}}, get("/v1/files")),
    ({"provider": {"dialects": ("chat",)}}, get("/v1/files", "x-pennyworth-provider: openai")),
    ({"providers": TWO}, get("/v1/files")),
    ({"everyone": Allowance(budgets=(Budget(period="month", amount="5"),))}, get("/v1/files")),
    ({"everyone": Allowance(pass_through=False)}, get("/v1/files")),
    ({}, post(b"{}", path="/v1/messages/count_tokens")),
    ({"models": {"ear": EAR}}, post(FORM % b"ear", FORMED, path="/v1/audio/transcriptions")),
    ({}, post(FORM % b"a" + FORM % b"b", FORMED, path="/v1/audio/transcriptions")),
    ({}, post(b'{"model": "text-embedding-3-small"}', path="/v1/embeddings")),
    ({}, post(b'{"model": "text-embedding-3-small", "input": ["a", 7]}', path="/v1/embeddings")),
]


@pytest.mark.parametrize(("plan", "sent"), REFUSED)
def test_what_a_caller_is_told_is_on_the_page(plan: dict[str, Any], sent: bytes):
    with Running(plan_for("http://127.0.0.1:9/v1", **plan)) as running:
        message = tell(running, sent)
    assert is_quoted(message), message


FAILED: list[Connection] = [
    connection(),
    connection(reset()),
    connection(send(b"SSH-2.0\r\n")),
    connection(send(last_reply(b"", status="307 Go"))),
    connection(send(last_reply(b"{}", headers={"content-encoding": "gzip"}))),
    connection(send(last_reply(b"{}", length=10))),
    connection(await_close()),
    connection(send(last_reply(error_json("no"), status="401 No"))),
]


def test_what_a_failing_provider_does_is_on_the_page(scripted: MakeGateway):
    running, _ = scripted(FAILED, provider={"total_s": 0.2})
    for number in range(len(FAILED)):
        message = tell(running, post(question(f"{number}")))
        assert is_quoted(message), message


def test_a_provider_that_is_not_there_or_silent_is_on_the_page(scripted: MakeGateway):
    for url in (f"http://127.0.0.1:{free_port()}/v1", "http://api.openai.invalid/v1"):
        with Running(plan_for(url)) as running:
            message = tell(running, post(question()))
            assert is_quoted(message), message
    stream = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    running, _ = scripted([connection(send(http_head(headers=stream)), await_close())], provider={"idle_s": 0.1})
    message = tell(running, post(question(stream=True)))
    assert is_quoted(message), message


def test_a_stream_that_breaks_uses_the_same_words(scripted: MakeGateway):
    running, _ = scripted([connection(send(last_stream(chat_events(["Hel"])[:2], ended=False)))])
    with Wire(running.port) as wire:
        reply = wire.send(post(question(stream=True))).read()
    assert reply is not None
    assert is_quoted(reply.body.decode())


def test_a_quotation_that_is_too_short_proves_nothing():
    assert not is_quoted("something went wrong")
    assert len(QUOTED) > 40


def test_what_is_said_at_a_limit_is_on_the_page() -> None:
    day = Limit(subject="key:alice", unit="pico", period="day", ceiling=1, said="20 USD a day")
    minute = Limit(subject="team:search", unit="tokens", period="minute", ceiling=1, said="600 tokens a minute")
    for said in (
        allowance.refusal(day, 10**9, 1_795_000_000.0).message,
        allowance.refusal(minute, 0, 1_795_000_000.0)
        .message.replace("tokens", "requests")
        .replace("team 'search'", "key 'alice'"),
        allowance.unpriced(day, "openai/gpt-9").message,
        allowance.UNAVAILABLE.message,
    ):
        assert is_quoted(said), said
