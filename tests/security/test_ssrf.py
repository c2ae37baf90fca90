"""Who is asked is the operator's to say: nothing in a request names a host that we then speak to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from pennyworth.config import interpret
from pennyworth.errors import ConfigError
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.raw import Wire, post, question
from tests.door.running import KEY, Running, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply


class Trap:
    """A port that nobody may connect to."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def caught(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._socket.accept()[0].close()
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


@pytest.fixture(scope="module")
def staged() -> Iterator[tuple[Running, ScriptedProvider]]:
    with (
        ScriptedProvider(then=connection(send(last_reply(chat_json("fine"))))) as provider,
        Running(plan_for(provider.base_url)) as running,
    ):
        yield running, provider


def ask(running: Running, body: bytes, *headers: str, path: str = "/v1/chat/completions") -> int:
    with Wire(running.port) as wire:
        reply = wire.send(post(body, *headers, path=path)).read()
    assert reply is not None
    return reply.status


@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key"])
def test_who_is_asked_is_never_in_the_body(staged: tuple[Running, ScriptedProvider], trap: Trap, field: str) -> None:
    """CVE-2024-6587: ``api_base`` in a body sent the provider's key to whoever asked for it."""
    running, provider = staged
    before = len(provider.requests)
    assert ask(running, question(**{field: trap.url})) == 400
    assert len(provider.requests) == before
    assert not trap.caught()


CONTAINERS = [
    "extra_body",
    "litellm_params",
    "metadata",
    "extra_headers",
    "provider",
    "router",
    "config",
    "proxy",
    "api_version",
]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_host_in_any_other_field_is_passed_on_and_means_nothing_to_us(
    staged: tuple[Running, ScriptedProvider], trap: Trap, container: str
) -> None:
    running, provider = staged
    body = question(
        container, **{container: {"api_base": trap.url, "base_url": trap.url, "api_key": "sk-own", "url": trap.url}}
    )
    assert ask(running, body) == 200
    assert provider.bodies[-1] == body
    assert KEY.encode() in provider.requests[-1], "our provider, our key"
    assert not trap.caught()


def test_what_a_message_points_at_is_never_fetched_by_us(staged: tuple[Running, ScriptedProvider], trap: Trap) -> None:
    running, provider = staged
    parts = [
        {"type": "image_url", "image_url": {"url": trap.url + "/image.png"}},
        {"type": "file", "file": {"file_url": trap.url + "/file.pdf"}},
        {"type": "input_audio", "input_audio": {"data": trap.url, "format": "wav"}},
        {"type": "text", "text": f"see {trap.url}"},
    ]
    body = question(messages=[{"role": "user", "content": parts}], tools=[{"type": "mcp", "server_url": trap.url}])
    assert ask(running, body) == 200
    assert provider.bodies[-1] == body
    assert not trap.caught()


@pytest.mark.parametrize(
    "header",
    [
        "Host",
        "X-Forwarded-Host",
        "X-Base-Url",
        "X-Portkey-Custom-Host",
        "Helicone-Target-URL",
        "X-Original-URL",
        "Forwarded",
    ],
)
def test_no_header_says_whom_to_ask(staged: tuple[Running, ScriptedProvider], trap: Trap, header: str) -> None:
    running, provider = staged
    before = len(provider.requests)
    ask(running, question(header), f"{header}: {trap.url}")
    for request in provider.requests[before:]:
        assert trap.url.encode() not in request.partition(b"\r\n\r\n")[0]
    assert not trap.caught()


def test_a_whole_url_as_the_path_leads_nowhere_else(staged: tuple[Running, ScriptedProvider], trap: Trap) -> None:
    """The absolute form is for proxies, and this is none."""
    running, _ = staged
    assert ask(running, question(), path=f"{trap.url}/chat/completions") in (200, 400, 404)
    assert not trap.caught()


@pytest.mark.parametrize(
    "status",
    ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"],
)
def test_a_provider_that_sends_us_elsewhere_is_not_followed(trap: Trap, status: str) -> None:
    """The credential is its host's alone."""
    away = last_reply(b"{}", status=status, headers={"location": trap.url + "/chat/completions"})
    with ScriptedProvider(then=connection(send(away))) as provider, Running(plan_for(provider.base_url)) as running:
        assert ask(running, question()) >= 300
        assert len(provider.requests) == 1
    assert not trap.caught()


@pytest.mark.parametrize(
    "url", ["http://2130706433:{port}/v1", "http://[::ffff:127.0.0.1]:{port}/v1", "http://127.0.0.1:{port}/v1"]
)
def test_the_operator_may_write_a_host_as_he_likes(url: str) -> None:
    """It is his word; and the credential goes there and nowhere else."""
    with ScriptedProvider(then=connection(send(last_reply(chat_json("fine"))))) as provider:
        port = provider.base_url.rpartition(":")[2].partition("/")[0]
        with Running(plan_for(url.format(port=port))) as running:
            status = ask(running, question())
        assert (status, len(provider.requests)) in ((200, 1), (502, 0))
        assert all(KEY.encode() in request for request in provider.requests)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://x/1", "ftp://x/", "http://user:pw@host/v1", "//host/v1", "http://host/v1?x=1"],
)
def test_a_base_url_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        interpret({"providers": {"p": {"base_url": url, "key_env": "K"}}}, {"K": "sk-1"})
