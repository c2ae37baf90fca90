"""U6: a provider that sends more than anybody can want: cut at the limit, in bounded memory.

In a gateway process of its own, so that what is measured is the gateway's. An endless event and an endless JSON body:
``tests/door/test_provider_faults.py``.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pennyworth.testing.chat_bytes import chat_events, chat_json, event
from pennyworth.testing.scripted_server import connection, http_head, send
from tests.door.running import eventually
from tests.door.scripted_provider import ScriptedProvider, last_reply
from tests.faults.serving import Serving

MB = 2**20
PROC = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not PROC.exists(), reason="memory is read from /proc")


@pytest.fixture
def bomb() -> bytes:
    """100 MB in 97 KB."""
    packed = gzip.compress(b" " * 100 * MB)
    assert len(packed) < 110_000
    return packed


def test_a_compressed_bomb_is_refused_unread(tmp_path: Path, bomb: bytes):
    reply = connection(send(last_reply(bomb, headers={"content-encoding": "gzip"})))
    with ScriptedProvider(then=reply) as provider, Serving(tmp_path, provider.base_url) as serving:
        before = serving.peak_mb()
        for number in range(3):
            told = serving.ask(f"bomb {number}")
            assert (told.status, "'gzip' although identity" in told.body.decode()) == (502, True)
        assert serving.peak_mb() - before < 8


@pytest.mark.parametrize("comments", [False, True], ids=["content", "comments"])
def test_an_endless_stream_is_cut_at_the_limit_and_costs_bounded_memory(tmp_path: Path, comments: bool):
    """As configured by default. Comments keep a connection alive, and say nothing: they count all the same."""
    text = {"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}
    piece = b": " + b"x" * 1000 + b"\n\n" if comments else event(text)
    chunk = piece * 60
    flood = [send(http_head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"}))]
    first = b"".join(chat_events(["a"])[:2])
    flood += [send(b"%x\r\n%s\r\n" % (len(one), one)) for one in (first, *[chunk] * 2000)]
    usual = connection(send(last_reply(chat_json("hello"))))
    with (
        ScriptedProvider([usual], then=connection(*flood)) as provider,
        Serving(tmp_path, provider.base_url) as serving,
    ):
        serving.ask("warm")
        before = serving.peak_mb()
        told = serving.ask("how long?", stream=True)
        last = json.loads(told.body.rstrip().rpartition(b"data: ")[2])["error"]["message"]
        assert "limits.max_reply_bytes" in last
        grown = serving.peak_mb() - before
        assert grown < 32, f"{grown:.0f} MB"
        assert eventually(lambda: not provider.playing, 5.0)
