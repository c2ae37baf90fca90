"""A running sandbox's bill, counters and script from the outside: for tests, demos and whoever reconciles."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pennyworth.sandbox.batches import Behaviour
from pennyworth.sandbox.bill import BillLine, Totals
from pennyworth.sandbox.control import PREFIX, ScriptBody
from pennyworth.sandbox.faults import Rule


class _Page(msgspec.Struct, frozen=True):
    totals: dict[str, Totals]
    lines: list[BillLine]
    next: int | None


class SandboxControl:
    """Talks to ``/__sandbox/`` of the sandbox at ``url`` (``http://127.0.0.1:8090``)."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc

    def bill(self) -> Iterator[BillLine]:
        """All invoice lines still kept, oldest first."""
        after: int | None = 0
        while after is not None:
            page = self._page(after)
            yield from page.lines
            after = page.next

    def totals(self) -> dict[str, Totals]:
        """By model, over all requests since the start or the last reset."""
        return self._page(2**62).totals

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = msgspec.json.decode(self._call("GET", "stats"))
        return stats

    def script(self, rules: Sequence[Rule], *, prompt_faults: bool = True) -> None:
        """From now on these faults, from the beginning of the script."""
        self._call("POST", "script", msgspec.json.encode(ScriptBody(rules=tuple(rules), prompt_faults=prompt_faults)))

    def batches(self, behaviour: Behaviour) -> None:
        """How batches go that are made from now on."""
        self._call("POST", "batches", msgspec.json.encode(behaviour))

    def reset(self) -> None:
        """Empty bill, counters and prompt cache; the script as at the start."""
        self._call("POST", "reset")

    def _page(self, after: int) -> _Page:
        return msgspec.json.decode(self._call("GET", f"bill?after={after}&limit=5000"), type=_Page)

    def _call(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection(self._host, timeout=30.0)
        try:
            connection.request(method, PREFIX + path, body)
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        if reply.status != 200:
            raise ValueError(f"the sandbox refused {method} {PREFIX}{path}: {content.decode(errors='replace')}")
        return content
