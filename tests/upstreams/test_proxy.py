"""Providers behind an HTTP proxy. Real sockets: a proxy that works, and proxies that fail in every way they do."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.plan import Road
from pennyworth.secret import Secret
from pennyworth.testing.scripted_server import (
    Connection,
    ScriptedServer,
    await_close,
    connection,
    deaf,
    http_reply,
    reset,
    send,
)
from pennyworth.upstreams.proxy import tunnel
from pennyworth.upstreams.road import ProxyError
from tests.upstreams.asking import ANSWER, CREDENTIAL, ask, call_to, until_true, upstream
from tests.upstreams.authority import Authority
from tests.upstreams.between import Proxy, provider

KEY = "ann:s3cret"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


@pytest.fixture(scope="module")
def pair(ca: Authority) -> tuple[Path, Path]:
    return ca.certify("provider")


async def test_a_call_to_https_goes_through_a_tunnel_and_its_credential_is_not_seen(
    ca: Authority, pair: tuple[Path, Path]
):
    async with upstream() as asked, Proxy(KEY) as proxy, provider(pair) as behind:
        road = Road(proxy=proxy.url, proxy_key=Secret(KEY), ca_file=str(ca.file))
        for _ in range(3):
            got = await ask(asked, call_to(behind.url, road=road))
            assert (got.status, got.body) == (200, ANSWER)
        assert [head.split(b" ")[0] for head in proxy.heads] == [b"CONNECT"], "one tunnel for three calls"
        assert CREDENTIAL.encode() not in b"".join(proxy.heads)
        assert len(behind.seen) == 3


async def test_a_call_to_http_tells_the_proxy_the_whole_url():
    script = [connection(send(http_reply(ANSWER)))]
    async with upstream() as asked, Proxy(KEY) as proxy, ScriptedServer(script) as server:
        road = Road(proxy=proxy.url, proxy_key=Secret(KEY))
        got = await ask(asked, call_to(server.url + "/v1", road=road))
        assert (got.status, got.body) == (200, ANSWER)
        assert proxy.heads[0].startswith(f"POST {server.url}/v1/chat/completions HTTP/1.1\r\n".encode())
        assert proxy.said("host") == [server.url.removeprefix("http://")]
        assert server.requests[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")


async def test_no_credential_is_shown_to_a_proxy_that_has_none_configured():
    script = [connection(send(http_reply(ANSWER)))]
    async with upstream() as asked, Proxy() as proxy, ScriptedServer(script) as server:
        assert (await ask(asked, call_to(server.url, road=Road(proxy=proxy.url)))).status == 200
        assert proxy.said("proxy-authorization") == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_other_credentials_is_named_and_ours_are_not_shown(scheme: str):
    async with upstream() as asked, Proxy("ann:another") as proxy:
        road = Road(proxy=proxy.url, proxy_key=Secret(KEY))
        got = await ask(asked, call_to(f"{scheme}://127.0.0.1:9/v1", road=road))
    assert (got.fault, got.message) == (
        "connect",
        f"the proxy asks for other credentials (407): check proxy_env (providers.openai.proxy = {proxy.url})",
    )
    assert "s3cret" not in got.message


FAULTS: list[tuple[str, Connection, str, str]] = [
    ("refuses", connection(send(http_reply(b"no", status="403 Forbidden"))), "connect", "not let us through to the provider (403)"),
    ("cannot reach it", connection(send(http_reply(b"", status="502 Bad Gateway"))), "connect", "to the provider (502)"),
    ("closes at once", deaf(), "connect", "closed the connection before it answered"),
    ("closes half-way", connection(send(b"HTTP/1.1 200 Conn")), "connect", "closed the connection before it answered"),
    ("resets", connection(reset()), "connect", "cannot be reached (Connection reset by peer)"),
    ("speaks something else", connection(send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")), "connect", "is it an HTTP proxy?"),
    ("says continue", connection(send(b"HTTP/1.1 100 Continue\r\n\r\n"), await_close()), "connect", "is it an HTTP proxy?"),
    ("never ends its head", connection(send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 9000), await_close()), "connect", "does not end"),
    ("speaks first in the tunnel", connection(send(b"HTTP/1.1 200 OK\r\n\r\nhello"), await_close()), "connect", "of its own"),
    ("ends the tunnel", connection(send(b"HTTP/1.1 200 OK\r\n\r\n")), "connect", "no "),
    ("hangs", connection(await_close()), "timeout", "connecting timed out after 0.3 s"),
    ("hangs in the tunnel", connection(send(b"HTTP/1.1 200 OK\r\n\r\n"), await_close()), "timeout", "timed out after 0.3 s"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "fault", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
async def test_a_proxy_that_fails_is_an_upstream_error_in_words(script: Connection, fault: str, words: str):
    async with upstream() as asked, ScriptedServer([script]) as proxy:
        road = Road(proxy=proxy.url, proxy_key=Secret(KEY))
        got = await ask(
            asked, call_to("https://127.0.0.1:9/v1", road=road, connect_s=0.3 if fault == "timeout" else 5.0)
        )
        assert got.fault == fault
        assert words in got.message
        assert "s3cret" not in got.message
        assert proxy.unexpected == 0
        await until_true(lambda: not proxy.playing)


async def test_a_proxy_that_is_not_there_or_has_no_address_is_named():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with upstream() as asked:
        got = await ask(asked, call_to("https://127.0.0.1:9/v1", road=Road(proxy=f"http://127.0.0.1:{port}")))
        unknown = await ask(asked, call_to("https://127.0.0.1:9/v1", road=Road(proxy="http://proxy.invalid:3128")))
    assert got.message.startswith("the proxy cannot be reached (Connection refused")
    assert unknown.message == (
        "the proxy has a host that is unknown (providers.openai.proxy = http://proxy.invalid:3128)"
    )


async def test_a_connection_by_one_proxy_serves_no_call_by_another_nor_one_without(
    ca: Authority, pair: tuple[Path, Path]
):
    async with upstream() as asked, Proxy() as one, Proxy() as other, provider(pair) as behind:
        roads = [Road(proxy=at.url, ca_file=str(ca.file)) for at in (one, other)] + [Road(ca_file=str(ca.file))]
        for road in roads * 3:
            assert (await ask(asked, call_to(behind.url, road=road))).status == 200
        assert (one.lines, other.lines, behind.lines) == (1, 1, 3)


async def test_one_who_shows_the_proxy_another_key_gets_a_tunnel_of_his_own(ca: Authority, pair: tuple[Path, Path]):
    async with upstream() as asked, Proxy() as proxy, provider(pair) as behind:
        for key in ("ann:1", "bob:2", "ann:1"):
            road = Road(proxy=proxy.url, proxy_key=Secret(key), ca_file=str(ca.file))
            assert (await ask(asked, call_to(behind.url, road=road))).status == 200
        assert proxy.lines == 2


@given(st.sampled_from([200, 204, 301, 403, 407, 502]), st.text("abc ", max_size=20), st.sets(st.integers(1, 80)))
def test_the_proxys_answer_is_the_same_in_any_pieces(status: int, reason: str, cuts: set[int]):
    answer = f"HTTP/1.1 {status} {reason}\r\nvia: x\r\n\r\n".encode()
    pieces = [answer[a:b] for a, b in pairwise([0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)])]
    asked, refused = asyncio.run(_dig(pieces))
    assert (
        asked
        == b"CONNECT provider:443 HTTP/1.1\r\nhost: provider:443\r\nproxy-authorization: Basic YW5uOnMzY3JldA==\r\n\r\n"
    )
    assert (refused == "") is (status < 300)
    assert str(status) in refused or status < 300


async def _dig(pieces: list[bytes]) -> tuple[bytes, str]:
    """What the proxy reads, and why there is no tunnel: "" where there is one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        digging = asyncio.ensure_future(tunnel(ours, "provider:443", Secret(KEY)))
        await asyncio.sleep(0)
        for piece in pieces:
            theirs.sendall(piece)
            await asyncio.sleep(0)
        try:
            await digging
        except ProxyError as error:
            return theirs.recv(4096), str(error)
        return theirs.recv(4096), ""
