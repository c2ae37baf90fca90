"""The routes that only look: statistics, receipts, totals, the control row, metrics, health."""

from __future__ import annotations

import re
from typing import Any, cast, get_args
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pennyworth.errors import StoreError
from pennyworth.ports import Group
from pennyworth.server import metrics
from pennyworth.server.admin_desk import Desk
from pennyworth.server.admin_json import WrongInputError, iso, plain, reply
from pennyworth.server.admin_query import Query
from pennyworth.server.admin_stats import position, stats
from pennyworth.server.budget_rows import figures as budget_figures
from pennyworth.server.figures import figures
from pennyworth.server.reload import History

GROUPS = tuple(group for group in get_args(Group) if group)
FILTERS = ("model", "scope", "served", "ending", "route", "client", "team")
MOST_RECEIPTS = 1000
_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")


class Reading:
    def __init__(self, desk: Desk, reloads: History) -> None:
        self._desk = desk
        self._reloads = reloads

    async def stats(self, request: Request) -> Response:
        desk = self._desk
        window, since_s = Query(request, "window").window(desk.clock.wall_s())
        totals = await desk.books.totals(since_s)
        about = self._about(window, since_s)
        return reply(stats(totals[""], about, await desk.workers.overview(), desk.plan, await desk.control()))

    async def totals(self, request: Request) -> Response:
        query = Query(request, "window", "by")
        window, since_s = query.window(self._desk.clock.wall_s())
        by = cast(Group, query.choice("by", GROUPS))
        groups = await self._desk.books.totals(since_s, by)
        about = self._about(window, since_s)
        return reply({**about, "by": by, "groups": {name: figures(totals) for name, totals in sorted(groups.items())}})

    async def receipts(self, request: Request) -> Response:
        query = Query(request, "limit", "before", *FILTERS)
        limit = query.whole("limit", 50, 1, MOST_RECEIPTS)
        where = {name: query.text(name) for name in FILTERS if query.text(name)}
        found = await self._desk.books.receipts(limit, query.time("before"), where)
        onward = None
        if len(found) == limit:
            onward = "/api/v1/receipts?" + urlencode({"limit": limit, "before": repr(found[-1].at_s), **where})
        return reply({**self._behind(), "receipts": [plain(receipt) for receipt in found], "next": onward})

    async def receipt(self, request: Request) -> Response:
        Query(request)
        receipt_id = request.path_params["id"]
        fix = "Take the id from the reply's x-pennyworth-receipt header, or from GET /api/v1/receipts."
        if not _ID.fullmatch(receipt_id):
            raise WrongInputError("id", receipt_id, "it is no receipt's id", fix)
        found = await self._desk.books.receipt(receipt_id)
        if found is None:
            raise WrongInputError("id", receipt_id, "there is no such receipt", fix, status=404)
        return reply({**self._behind(), "at": iso(found.at_s), **plain(found)})

    async def control(self, request: Request) -> Response:
        Query(request)
        row = await self._desk.control()
        seen = await self._desk.workers.in_force()
        in_force = sum(each is not None and each.control >= row.version for each in seen)
        return reply(
            {
                **position(self._desk.plan, row),
                "confirmed": in_force,
                "workers": len(seen),
                "purges": row.purges,
                "older_than_s": row.older_than_s,
                "revisions": row.revisions,
                "fingerprints": row.fingerprints,
            }
        )

    async def targets(self, request: Request) -> Response:
        Query(request)
        overview = await self._desk.workers.overview()
        return reply({"targets": [msgspec.structs.asdict(health) for health in overview.targets]})

    async def budgets(self, request: Request) -> Response:
        Query(request)
        return reply({"budgets": [budget_figures(row) for row in await self._desk.budgets()]})

    async def metrics(self, request: Request) -> Response:
        overview = await self._desk.workers.overview()
        try:
            budgets = await self._desk.budgets()
        except StoreError:
            budgets = []  # a scrape tells the rest all the same; the workers count this as a trouble
        text, content_type = metrics.render(overview, self._reloads, request.headers.get("accept", ""), budgets)
        return Response(text, headers={"content-type": content_type})

    async def healthz(self, request: Request) -> Response:
        return reply({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        overview = await self._desk.workers.overview()
        ready = [snapshot.worker for snapshot in overview.workers if not snapshot.draining]
        status = "ready" if ready else "draining" if overview.workers else "no worker answers"
        body: dict[str, Any] = {"status": status, "ready": ready, "silent": list(overview.silent)}
        return reply(body, 200 if ready else 503)

    def _about(self, window: str, since_s: float) -> dict[str, object]:
        since = {"since": iso(since_s), "since_s": since_s} if since_s else {}
        return {"window": window, **since, **self._behind()}

    def _behind(self) -> dict[str, str]:
        return {"behind": self._desk.books.behind} if self._desk.books.behind else {}
