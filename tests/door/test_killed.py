"""Killed in the middle of its work: what callers got whole is in the books, what was under way is "unknown", and the
cache goes on where it was."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pennyworth.sandbox import Latency, SandboxServer, Settings
from tests.door.running import eventually
from tests.server.gateways import GatewayProcess

Ask = Callable[[], str]
CALLERS = 8


class Load(threading.Thread):
    """A caller who asks one question after the other, every third one streamed, until the gateway is gone.

    ``whole``: receipts of the replies that came to their last byte. ``kept``: questions answered well before the end.
    """

    def __init__(self, url: str, questions: list[str]) -> None:
        super().__init__(daemon=True)
        self.whole: list[str] = []
        self.kept: list[str] = []
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10.0)
        self._questions = questions

    def run(self) -> None:
        for number, text in enumerate(self._questions):
            try:
                self._ask(text, stream=number % 3 == 0)
            except (OSError, http.client.HTTPException):
                return

    def _ask(self, text: str, *, stream: bool) -> None:
        body = {"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": text}]}
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        reply = self._connection.getresponse()
        data = reply.read()  # raises where the reply is cut
        assert reply.status == 200
        assert not stream or data.endswith(b"data: [DONE]\n\n")
        self.whole.append(str(reply.headers["x-pennyworth-receipt"]))
        self.kept.append(text)


def test_a_gateway_killed_under_load_loses_nothing_it_has_said(tmp_path: Path, ask_about: Ask):
    with SandboxServer(Settings(seed=4, latency=Latency(first_token_s=0.005, tokens_per_s=4000.0))) as sandbox:
        with GatewayProcess(tmp_path / "state", sandbox.base_url) as process:
            callers = [Load(process.public_url, [ask_about() for _ in range(1000)]) for _ in range(CALLERS)]
            for caller in callers:
                caller.start()
            assert eventually(lambda: sum(len(caller.whole) for caller in callers) >= 80)
            time.sleep(1.0)  # an answer is written within a second
            assert any(caller.is_alive() for caller in callers), "it is killed under load"
            process.child.kill()
            for caller in callers:
                caller.join(20.0)
        acknowledged = {id for caller in callers for id in caller.whole}
        with GatewayProcess(tmp_path / "state", sandbox.base_url) as process:
            booked = _receipts(process)
            assert acknowledged <= set(booked), "a reply that came whole has its receipt"
            others = [receipt for id, receipt in booked.items() if id not in acknowledged]
            endings = Counter((receipt["served"], receipt["ending"]) for receipt in others)
            assert ("none", "unknown") in endings, endings
            assert all(receipt["basis"] == "estimated" for receipt in others if receipt["ending"] == "unknown")
            early = [caller.kept[0] for caller in callers if caller.kept]
            hits = ["; hit;" in process.ask(text).headers["cache-status"] for text in early]
            assert sum(hits) >= len(hits) / 2, "the cache, but for its last second, is there"


def _receipts(process: GatewayProcess) -> dict[str, Any]:
    found: dict[str, Any] = {}
    path = "/api/v1/receipts?limit=500"
    while path:
        page = process.get(path)
        found |= {receipt["id"]: receipt for receipt in page["receipts"]}
        path = page.get("next") or ""
    return found
