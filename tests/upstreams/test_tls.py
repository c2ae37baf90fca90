"""Providers behind TLS: connections are kept, dead ones are not met, and a certificate nobody vouches for is refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pennyworth.testing.scripted_server import ScriptedServer, await_close, deaf, http_reply, send
from tests.upstreams.asking import ANSWER, ask, call_to, until_true, upstream

OURS = Path(__file__).with_name("localhost.pem")
"""A key and a certificate for 127.0.0.1 that signs itself; it keeps no secret."""


@contextlib.asynccontextmanager
async def provider(replies: int) -> AsyncIterator[tuple[str, list[int]]]:
    """Answers so often on a connection, then closes it. Its base URL, and the requests on each connection."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(OURS)
    served: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(replies):
                await reader.readuntil(b"{}")
                served[-1] += 1
                writer.write(http_reply(ANSWER))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", served
    server.close()


async def main() -> None:
    """Run in a process that trusts the certificate: which authorities are trusted is settled at its start."""
    for replies, connections in ((100, 1), (1, 20)):
        async with provider(replies) as (url, served), upstream() as asked:
            for _ in range(20):
                got = await ask(asked, call_to(url))
                assert (got.status, got.body) == (200, ANSWER), got
                await asyncio.sleep(0.01)
            assert len(served) == connections, served
            assert sum(served) == 20


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_connections_under_tls_are_kept_and_dead_ones_are_not_met(loop: str):
    root = Path(__file__).parents[2]
    program = f"import {loop}, tests.upstreams.test_tls as t; {loop}.run(t.main())"
    environment = os.environ | {"SSL_CERT_FILE": str(OURS), "PYTHONPATH": str(root)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


async def test_a_certificate_that_nobody_vouches_for_is_refused():
    async with provider(1) as (url, served), upstream() as asked:
        got = await ask(asked, call_to(url))
        assert (got.fault, got.message) == (
            "connect",
            f"its TLS certificate was refused (providers.openai.base_url = {url})",
        )
        assert sum(served) == 0, "the credential was not sent"


async def test_https_to_a_port_without_tls_is_named():
    async with upstream() as asked, ScriptedServer([deaf(send(http_reply(ANSWER)))]) as server:
        url = server.url.replace("http:", "https:")
        got = await ask(asked, call_to(url))
    assert (got.fault, got.message) == (
        "connect",
        f"no TLS with providers.openai.base_url = {url} (does it speak plain http?)",
    )


async def test_a_handshake_that_never_ends_is_given_up_with_its_connection():
    async with upstream() as asked, ScriptedServer([deaf(await_close())]) as server:
        got = await ask(asked, call_to(server.url.replace("http:", "https:"), connect_s=0.2))
        assert (got.fault, got.message) == (
            "timeout",
            "connecting timed out after 0.2 s (providers.openai.connect_timeout)",
        )
        await until_true(lambda: not server.playing, 1.0)
