"""What is asked beside the dialects, through the whole gateway on real sockets: any method, any body, any size."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import msgspec
import pytest
from anthropic import Anthropic
from openai import OpenAI

from pennyworth.clients import Allowance, Budget, ClientKey
from pennyworth.secret import Secret
from pennyworth.testing.scripted_server import Connection, await_close, connection, http_head, reset, send
from tests.door.conftest import MakeGateway
from tests.door.running import KEY, ONCE, Running, eventually, plan_for, provider_at
from tests.door.scripted_provider import ScriptedProvider, last_reply, last_stream

FILE = b'{"id":"file-1","object":"file"}'


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20.0) as client:
        yield client


def head_of(request: bytes) -> tuple[str, dict[str, str]]:
    line, *lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return line, dict(each.split(": ", 1) for each in lines)


def replies(*bodies: bytes, **head: Any) -> list[Connection]:
    return [connection(send(last_reply(body, **head))) for body in bodies]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_any_method_arrives_with_its_path_query_and_body_as_they_were_sent(
    scripted: MakeGateway, http: httpx.Client, method: str
):
    gateway, provider = scripted(replies(FILE))
    body = b"" if method in ("GET", "DELETE") else b"\x00\xff any \r\n\r\n bytes"
    reply = http.request(
        method,
        f"{gateway.base_url}/vector_stores/vs_1/files?limit=2&after=a%2Fb",
        content=body,
        headers={"content-type": "application/octet-stream", "openai-beta": "assistants=v2"},
    )
    assert (reply.status_code, reply.content) == (200, FILE)
    line, headers = head_of(provider.requests[0])
    assert line == f"{method} /v1/vector_stores/vs_1/files?limit=2&after=a%2Fb HTTP/1.1"
    assert provider.bodies[0] == body
    assert headers["openai-beta"] == "assistants=v2"
    assert headers["content-type"] == "application/octet-stream"
    receipt = gateway.last()
    assert (receipt.id, receipt.dialect) == (reply.headers["x-pennyworth-receipt"], "other")
    assert (receipt.model, receipt.target) == (f"{method} /v1/vector_stores/{{id}}/files", "openai/other")
    assert (receipt.served, receipt.ending, receipt.status) == ("upstream", "complete", 200)
    assert receipt.basis == receipt.would_basis == ("none" if method in ("GET", "DELETE") else "unpriced")


def test_a_caller_s_credentials_and_cookies_never_arrive_and_ours_does(scripted: MakeGateway, http: httpx.Client):
    gateway, provider = scripted(replies(FILE))
    own = {"authorization": "Bearer mine", "x-api-key": "mine", "cookie": "a=mine", "x-forwarded-for": "mine"}
    http.get(f"{gateway.base_url}/files", headers=own)
    assert b"mine" not in provider.requests[0]
    assert head_of(provider.requests[0])[1]["authorization"] == f"Bearer {KEY}"


def test_an_upload_goes_to_the_provider_of_the_model_it_names_byte_for_byte(http: httpx.Client):
    with ScriptedProvider(replies(b'{"text":"hi"}')) as sound, ScriptedProvider() as files:
        providers = (
            provider_at(sound.base_url, name="sound", models=("whisper-*",)),
            provider_at(files.base_url, name="files"),
        )
        with Running(plan_for("", providers=providers)) as gateway:
            upload = {"file": ("a.mp3", b"\xff\xfb" * 50_000, "audio/mpeg")}
            reply = http.post(f"{gateway.base_url}/audio/transcriptions", files=upload, data={"model": "whisper-1"})
            assert reply.json() == {"text": "hi"}
            assert sound.bodies == [reply.request.read()]
            receipt = gateway.last()
            assert (receipt.model, receipt.target) == ("whisper-1", "sound/whisper-1")
            assert receipt.reason == "passed through: POST /v1/audio/transcriptions"


def test_sound_comes_back_as_it_was_with_what_says_what_it_is(scripted: MakeGateway, http: httpx.Client):
    sound = bytes(range(256)) * 400
    told = {
        "content-type": "audio/mpeg",
        "content-disposition": 'attachment; filename="a.mp3"',
        "x-request-id": "req_1",
        "x-ratelimit-remaining-requests": "9",
        "set-cookie": "a=b",
        "x-secret": KEY,
    }
    gateway, _ = scripted(replies(sound, headers=told))
    reply = http.post(f"{gateway.base_url}/audio/speech", json={"model": "tts-1", "input": "hi"})
    assert reply.content == sound
    assert {name: reply.headers.get(name) for name in told} == {**told, "set-cookie": None, "x-secret": None}


def test_a_part_of_a_file_keeps_its_status_and_range(scripted: MakeGateway, http: httpx.Client):
    gateway, provider = scripted(
        replies(b"0123", status="206 Partial Content", headers={"content-range": "bytes 0-3/10"})
    )
    reply = http.get(f"{gateway.base_url}/files/file-1/content", headers={"range": "bytes=0-3"})
    assert (reply.status_code, reply.content, reply.headers["content-range"]) == (206, b"0123", "bytes 0-3/10")
    assert head_of(provider.requests[0])[1]["range"] == "bytes=0-3"
    assert gateway.last().status == 206


def test_a_reply_without_a_body_is_one_and_the_connection_serves_on(scripted: MakeGateway, http: httpx.Client):
    gateway, _ = scripted([connection(send(http_head("204 No Content", {"connection": "close"}))), *replies(FILE)])
    gone = http.delete(f"{gateway.base_url}/files/file-1")
    assert (gone.status_code, gone.content) == (204, b"")
    assert "transfer-encoding" not in gone.headers
    assert http.get(f"{gateway.base_url}/files/file-1").content == FILE
    assert [receipt.status for receipt in gateway.receipts()] == [204, 200]


def test_a_head_is_answered_with_the_length_of_what_a_get_would_bring(scripted: MakeGateway, http: httpx.Client):
    told = {"content-length": "200000000", "content-type": "audio/mpeg", "connection": "close"}
    gateway, provider = scripted([connection(send(http_head(headers=told))), *replies(FILE)])
    reply = http.head(f"{gateway.base_url}/files/file-1/content")
    assert (reply.status_code, reply.content, reply.headers["content-length"]) == (200, b"", "200000000")
    assert head_of(provider.requests[0])[0].startswith("HEAD ")
    assert http.get(f"{gateway.base_url}/files/file-1").content == FILE


def test_events_come_as_they_are_sent(scripted: MakeGateway, http: httpx.Client):
    events = [b"event: thread.created\ndata: {}\n\n", b"data: [DONE]\n\n"]
    gateway, _ = scripted([connection(send(last_stream(events)))])
    reply = http.post(f"{gateway.base_url}/threads/runs", json={"stream": True})
    assert reply.content == b"".join(events)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_a_file_of_two_hundred_megabytes_needs_no_room_for_it(scripted: MakeGateway, http: httpx.Client):
    piece, times = bytes(1 << 20), 200
    head = http_head(headers={"content-length": str(len(piece) * times), "connection": "close"})
    gateway, _ = scripted([connection(send(head), *[send(piece)] * times)])
    http.get(f"{gateway.url}/healthz")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 0
    with http.stream("GET", f"{gateway.base_url}/files/file-1/content") as reply:
        for part in reply.iter_raw():
            size += len(part)
    assert size == len(piece) * times
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 60, f"{grown_mb} MB more than before"


def test_a_reader_who_leaves_in_the_middle_ends_the_call(scripted: MakeGateway, http: httpx.Client):
    piece, times = bytes(1 << 20), 40
    head = http_head(headers={"content-length": str(len(piece) * times), "connection": "close"})
    gateway, provider = scripted([connection(send(head), *[send(piece)] * times)])
    with http.stream("GET", f"{gateway.base_url}/files/file-1/content") as reply:
        next(reply.iter_raw(1024))
    assert eventually(lambda: provider.playing == 0)
    assert eventually(lambda: gateway.receipts() != [] and gateway.last().ending == "caller_left")
    assert gateway.last().status == 499


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(scripted: MakeGateway, http: httpx.Client):
    gateway, _ = scripted([connection(send(http_head(headers={"content-length": "10"}) + b"1234"), reset())])
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{gateway.base_url}/files/file-1/content")
    receipt = gateway.last()
    assert (receipt.ending, receipt.status, receipt.served) == ("cut", 200, "none")
    assert gateway.troubles == []


def test_a_failure_is_given_as_the_provider_said_it(scripted: MakeGateway, http: httpx.Client):
    said = b'{"error":{"message":"No such File object: file-9","type":"invalid_request_error"}}'
    gateway, _ = scripted(replies(said, status="404 Not Found", headers={"x-request-id": "req_9"}))
    reply = http.get(f"{gateway.base_url}/files/file-9")
    assert (reply.status_code, reply.content, reply.headers["x-request-id"]) == (404, said, "req_9")
    assert (gateway.last().status, gateway.last().basis) == (404, "none")


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
@pytest.mark.parametrize("slice_bytes", [0, 1])
def test_our_credential_is_never_said_back(scripted: MakeGateway, http: httpx.Client, status: str, slice_bytes: int):
    said = b'{"you sent": "' + KEY.encode() + b'", "' + KEY[:5].encode() + b'": 1}'
    gateway, _ = scripted([connection(send(last_reply(said, status=status), slice_bytes=slice_bytes))])
    reply = http.post(f"{gateway.base_url}/debug", content=b"x")
    assert reply.content == said.replace(KEY.encode(), "…".encode())


def test_a_refused_key_of_ours_is_told_in_our_words(scripted: MakeGateway, http: httpx.Client):
    gateway, _ = scripted(replies(b'{"error":"no"}', status="401 Unauthorized"))
    reply = http.get(f"{gateway.base_url}/files")
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "upstream_authentication"


def test_a_redirect_is_not_followed(scripted: MakeGateway, http: httpx.Client):
    gateway, provider = scripted(replies(b"", status="302 Found", headers={"location": "http://evil/"}))
    reply = http.get(f"{gateway.base_url}/files/file-1/content")
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_redirect")
    assert "location" not in reply.headers
    assert provider.connections == 1


PERSISTENT = {"persistence": msgspec.structs.replace(ONCE, tries=3, pause_s=0.0, retry_share=1.0)}


def test_a_get_is_asked_again_after_an_overload(scripted: MakeGateway, http: httpx.Client):
    down = connection(send(last_reply(b"{}", status="503 Service Unavailable")))
    gateway, provider = scripted([down, *replies(FILE)], provider=PERSISTENT)
    assert http.get(f"{gateway.base_url}/files/file-1").content == FILE
    assert provider.connections == 2


@pytest.mark.parametrize("broken", [reset(), send(last_reply(b"{}", status="500 Internal Server Error"))])
def test_a_post_that_may_have_been_done_is_not_made_twice(scripted: MakeGateway, http: httpx.Client, broken: Any):
    gateway, provider = scripted([connection(broken)], provider=PERSISTENT)
    reply = http.post(f"{gateway.base_url}/batches", json={"input_file_id": "file-1"})
    assert reply.status_code >= 500
    assert provider.connections == 1
    assert gateway.last().basis == "unpriced" if reply.status_code == 502 else "none"


def test_a_caller_who_leaves_ends_the_call(scripted: MakeGateway, http: httpx.Client):
    gateway, provider = scripted([connection(await_close())])
    with pytest.raises(httpx.ReadTimeout):
        http.get(f"{gateway.base_url}/files/file-1", timeout=0.2)
    assert eventually(lambda: provider.playing == 0)
    assert eventually(lambda: gateway.receipts() != [] and gateway.last().ending == "caller_left")


def test_completions_are_priced_by_the_usage_they_say(scripted: MakeGateway, http: httpx.Client):
    said = b'{"model":"gpt-4o-mini","choices":[{"text":"hi"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}'
    events = [b'data: {"choices":[{"text":"hi"}]}\n\n', b"data: " + said + b"\n\n", b"data: [DONE]\n\n"]
    gateway, _ = scripted([*replies(said), connection(send(last_stream(events)))])
    asked = {"model": "gpt-4o-mini", "prompt": "hi"}
    assert http.post(f"{gateway.base_url}/completions", json=asked).content == said
    assert http.post(f"{gateway.base_url}/completions", json={**asked, "stream": True}).content == b"".join(events)
    for receipt in gateway.receipts():
        assert receipt.usage is not None
        assert (receipt.usage.input, receipt.usage.output, receipt.basis) == (7, 2, "metered")
        assert receipt.spent.pico == 7 * 150_000 + 2 * 600_000


def test_two_providers_and_none_named_is_refused_with_what_to_send(http: httpx.Client):
    with ScriptedProvider() as one, ScriptedProvider(replies(FILE)) as two:
        providers = (provider_at(one.base_url, name="one"), provider_at(two.base_url, name="two"))
        with Running(plan_for("", providers=providers)) as gateway:
            reply = http.get(f"{gateway.base_url}/files")
            assert reply.status_code == 400
            assert "x-pennyworth-provider with one of: one, two" in reply.json()["error"]["message"]
            named = http.get(f"{gateway.base_url}/files", headers={"x-pennyworth-provider": "two"})
            assert named.content == FILE
            assert gateway.last().target == "two/other"


def test_a_model_by_a_name_of_ours_is_put_right_and_nothing_else(http: httpx.Client):
    with ScriptedProvider(replies(FILE)) as one, ScriptedProvider() as two:
        providers = (provider_at(one.base_url, name="one"), provider_at(two.base_url, name="two"))
        with Running(plan_for("", providers=providers)) as gateway:
            body = b'{ "prompt" : "a",\n "model": "one/dall-e-3", "n":1.0 }'
            kind = {"content-type": "application/json"}
            http.post(f"{gateway.base_url}/images/generations", content=body, headers=kind)
            assert one.bodies == [body.replace(b"one/dall-e-3", b"dall-e-3")]
            assert gateway.last().attempts[0].edits == ("model",)
            form = http.post(f"{gateway.base_url}/audio/x", files={"file": b"a"}, data={"model": "one/whisper-1"})
            assert (form.status_code, form.json()["error"]["code"]) == (400, "model_alias")


def key(name: str, **allowance: Any) -> ClientKey:
    return ClientKey(name=name, secret=Secret(f"sk-{name}-0123456789"), scope=name, allowance=Allowance(**allowance))


BOUND: list[tuple[str, dict[str, Any]]] = [
    ("budget_day", {"budgets": (Budget(period="day", amount="1"),)}),
    ("tokens_per_minute", {"tokens_per_minute": 1000}),
    ("requests_per_minute", {"requests_per_minute": 2}),
    ("models", {"models": ("gpt-*",)}),
]


@pytest.mark.parametrize(("setting", "allowance"), BOUND)
def test_who_is_bounded_needs_leave(scripted: MakeGateway, http: httpx.Client, setting: str, allowance: dict[str, Any]):
    keys = (
        key("ann", **allowance),
        key("bob", **allowance, pass_through=True),
        key("cyd"),
        key("dan", pass_through=False),
    )
    gateway, provider = scripted(replies(FILE, FILE), keys=keys)

    def ask(name: str) -> httpx.Response:
        return http.get(f"{gateway.base_url}/files", headers={"authorization": f"Bearer sk-{name}-0123456789"})

    barred = ask("ann")
    assert barred.status_code == 403
    assert setting in barred.json()["error"]["message"]
    assert ask("dan").status_code == 403
    assert provider.connections == 0
    assert [ask("bob").content, ask("cyd").content] == [FILE, FILE]
    assert http.get(f"{gateway.base_url}/files").status_code == 401


def test_with_leave_requests_a_minute_and_the_models_named_still_count(scripted: MakeGateway, http: httpx.Client):
    keys = (key("ann", requests_per_minute=2, models=("gpt-*",), pass_through=True),)
    gateway, _ = scripted(replies(FILE, FILE), keys=keys)
    shown = {"authorization": "Bearer sk-ann-0123456789"}
    other = http.post(f"{gateway.base_url}/images/generations", json={"model": "dall-e-3"}, headers=shown)
    assert (other.status_code, other.json()["error"]["code"]) == (403, "model_not_allowed")
    assert [http.get(f"{gateway.base_url}/files", headers=shown).status_code for _ in range(3)] == [200, 200, 429]


def test_the_switch_turns_all_of_it_off(scripted: MakeGateway, http: httpx.Client):
    gateway, provider = scripted(pass_through=False)
    reply = http.get(f"{gateway.base_url}/files")
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "pass_through_off")
    assert provider.connections == 0


REFUSED = [
    *("/v1/organization/projects", "/v1/Organizations", "/v1/organization;a/users", "/v1/keys", "/v1/api_keys/1"),
    *("/v1/files/..%2forganization", "/v1/%6frganization", "/v1/files/../x", "/v1/a//b", "/v1/./organization"),
    *("/v1/files/a%00b", "/v1/files/a%5cb", "/v1/files\\x", "/v1/files/%2e%2e/x"),
]


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_leads_elsewhere_reaches_nobody(scripted: MakeGateway, path: str):
    gateway, provider = scripted()
    with httpx.Client() as client:
        reply = client.send(raw_request(client, gateway.url, path))
    assert reply.status_code in (400, 403, 404)
    assert provider.connections == 0


@pytest.mark.parametrize("path", ["/v1/@evil.example/", "/v1/http:/evil.example", "/v1/evil.example:80"])
def test_a_path_that_looks_like_a_host_is_none(scripted: MakeGateway, path: str):
    gateway, provider = scripted(replies(FILE))
    with httpx.Client() as client:
        assert client.send(raw_request(client, gateway.url, path)).content == FILE
    line, headers = head_of(provider.requests[0])
    assert line == f"GET {path} HTTP/1.1"
    assert headers["host"] == provider.base_url.split("/")[2]


def raw_request(client: httpx.Client, url: str, path: str) -> httpx.Request:
    """Exactly this path: a client would put it in order first."""
    request = client.build_request("GET", url)
    request.extensions["target"] = path.encode()
    return request


def test_openais_sdk_uploads_lists_downloads_and_speaks(scripted: MakeGateway):
    sound = bytes(range(256)) * 1000
    listed = b'{"object":"list","data":[' + FILE + b'],"has_more":false}'
    made = {"content-type": "audio/mpeg"}
    gateway, provider = scripted([*replies(FILE, listed, sound), *replies(sound, headers=made)])
    with OpenAI(base_url=gateway.base_url, api_key="sk-any", max_retries=0) as client:
        assert client.files.create(file=("in.jsonl", b"{}\n" * 1000), purpose="batch").id == "file-1"
        assert client.files.list(limit=1).data[0].id == "file-1"
        assert client.files.content("file-1").read() == sound
        with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="hi") as spoken:
            assert b"".join(spoken.iter_bytes()) == sound
    assert b"{}\n" * 1000 in provider.bodies[0]
    assert [receipt.model for receipt in gateway.receipts()] == [
        *("POST /v1/files", "GET /v1/files", "GET /v1/files/{id}/content", "tts-1"),
    ]


def test_anthropics_sdk_reads_errors_in_its_own_shape(scripted: MakeGateway):
    gateway, _ = scripted(pass_through=False)
    with (
        Anthropic(base_url=gateway.url, api_key="sk-any", max_retries=0) as client,
        pytest.raises(anthropic.PermissionDeniedError) as caught,
    ):
        client.messages.batches.list()
    assert isinstance(caught.value.body, dict)
    assert (caught.value.body["type"], caught.value.body["error"]["type"]) == ("error", "permission_error")


def test_a_method_that_is_none_of_these_is_refused(scripted: MakeGateway, http: httpx.Client):
    gateway, _ = scripted()
    reply = http.request("OPTIONS", f"{gateway.base_url}/files")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD, POST, PUT, PATCH, DELETE")
