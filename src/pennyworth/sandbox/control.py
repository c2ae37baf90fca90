"""What people may ask of a running sandbox, under ``/__sandbox/``: its bill, counters and script.

There is no key to it: whoever reaches the port may use it, so it listens on loopback unless told otherwise.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import parse_qs

import msgspec

from pennyworth.sandbox.batches import Batches, Behaviour
from pennyworth.sandbox.faults import Rule
from pennyworth.sandbox.provider import Provider
from pennyworth.sandbox.stats import Stats

PREFIX = "/__sandbox/"
PAGE = 1000


class ScriptBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /__sandbox/script``."""

    rules: tuple[Rule, ...] = ()
    prompt_faults: bool = True


class Controlled(Protocol):
    """The sandbox, as this file sees it."""

    provider: Provider
    stats: Stats
    batches: Batches

    def reset(self) -> None: ...


def control(sandbox: Controlled, method: str, path: str, query: bytes, body: bytes) -> tuple[int, Any]:
    """Status and JSON value of the answer to one call."""
    match method, path.removeprefix(PREFIX):
        case "GET", "bill":
            return _bill(sandbox.provider, query)
        case "GET", "stats":
            return 200, {"sandbox": True, **sandbox.stats.as_json(), "prefixes": len(sandbox.provider.prompts)}
        case "GET", "script":
            script = sandbox.provider.script
            return 200, {"rules": script.rules, "prompt_faults": script.prompt_faults}
        case "POST", "script":
            return _script(sandbox.provider, body)
        case "POST", "batches":
            return _behave(sandbox.batches, body)
        case "POST", "reset":
            sandbox.reset()
            return 200, {"reset": True}
        case _:
            return 404, {
                "error": f"no {method} {path}: there are GET bill, stats, script and POST script, batches, reset"
            }


def _bill(provider: Provider, query: bytes) -> tuple[int, Any]:
    asked = parse_qs(query.decode("latin-1"))
    try:
        after, limit = int(asked.get("after", ["0"])[0]), int(asked.get("limit", [str(PAGE)])[0])
    except ValueError:
        return 400, {"error": "after and limit are whole numbers, as in /__sandbox/bill?after=0&limit=1000"}
    lines = provider.bill.page(max(after, 0), min(max(limit, 0), 10 * PAGE))
    more = bool(lines) and lines[-1].number < provider.bill.next_number - 1
    return 200, {
        "currency": "picodollars",
        "rounding": "half to even, once per request",
        "totals": provider.bill.totals(),
        "dropped": provider.bill.dropped,
        "lines": lines,
        "next": lines[-1].number if more else None,
    }


def _behave(batches: Batches, body: bytes) -> tuple[int, Any]:
    try:
        batches.behaviour = msgspec.json.decode(body, type=Behaviour)
    except msgspec.DecodeError as problem:
        return 400, {"error": f"not a behaviour: {problem}. See batches in docs/sandbox.md."}
    return 200, {"behaviour": batches.behaviour}


def _script(provider: Provider, body: bytes) -> tuple[int, Any]:
    try:
        asked = msgspec.json.decode(body, type=ScriptBody)
    except msgspec.DecodeError as problem:
        return 400, {"error": f"not a script: {problem}. See the rules in docs/sandbox.md."}
    provider.play(asked.rules, prompt_faults=asked.prompt_faults)
    return 200, {"rules": len(asked.rules), "prompt_faults": asked.prompt_faults}
