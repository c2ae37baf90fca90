"""The route by which somebody is forgotten, and what it tells of those who were."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pennyworth.forgetting import OUT_OF_REACH, Confirmed, change
from pennyworth.server.admin_desk import Desk
from pennyworth.server.admin_json import WrongInputError, iso, plain, reply
from pennyworth.server.admin_query import Query, read_body
from pennyworth.whom import Erasure, Sort

_EXAMPLE = '{"by": "user|key|scope", "value": "…", "dry_run": true}, as in {"by": "user", "value": "alice@example.com"}'
_SORTS: dict[str, Sort] = {"user": "user", "key": "client", "scope": "scope"}
_LONGEST = 512
_SETTLE_S = 0.5
"""After all workers go by it: what they were just writing down is written by then, and can be emptied."""


class _Forget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    by: Literal["user", "key", "scope"]
    value: str
    dry_run: bool = False


class Forgetting:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._eraser = desk.eraser
        self._one = asyncio.Lock()

    async def forget(self, request: Request) -> Response:
        if request.method == "GET":
            return await self._list(request)
        Query(request)
        asked = await read_body(request, _Forget, _EXAMPLE)
        if not 0 < len(asked.value) <= _LONGEST:
            fix = f"Give whom to forget, 1 to {_LONGEST} characters."
            raise WrongInputError("value", asked.value, "it cannot be used", fix)
        async with self._one:
            return await self._forget(asked)

    async def _forget(self, asked: _Forget) -> Response:
        whom = self._eraser.whom(_SORTS[asked.by], asked.value)
        before = await asyncio.to_thread(self._eraser.count, whom)
        if asked.dry_run:
            return reply({"dry_run": True, "would_go": before, "out_of_reach": OUT_OF_REACH})
        applied = await self._desk.change(change(whom, self._desk.clock.wall_s()))
        await asyncio.sleep(_SETTLE_S)
        by_now = Confirmed(applied.row, applied.confirmed, applied.workers)
        erasure = await asyncio.to_thread(self._eraser.erase, whom, before, by_now, self._desk.clock.wall_s())
        done = applied.everywhere and not erasure.failed
        return reply({"forgotten": told(erasure), "out_of_reach": OUT_OF_REACH}, 200 if done else 202)

    async def _list(self, request: Request) -> Response:
        limit = Query(request, "limit").whole("limit", 100, 1, 1000)
        found = await asyncio.to_thread(self._eraser.erasures, limit)
        return reply({"forgotten": [told(each) for each in found]})


def told(erasure: Erasure) -> dict[str, object]:
    """As people read it: "client" is a key to them."""
    by = "key" if erasure.by == "client" else erasure.by
    return {"at": iso(erasure.at_s), **plain(erasure), "by": by}
