"""The route that has the configuration read again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pennyworth.config import ConfigErrors
from pennyworth.server.admin_json import RefusedError, reply
from pennyworth.server.admin_query import Query
from pennyworth.server.reload import Reloader


class Reloading:
    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader

    async def reload(self, request: Request) -> Response:
        """200 when every worker goes by it, 202 when one has not said so yet, 422 when it is refused."""
        Query(request)
        try:
            done = await self._reloader.reload()
        except ConfigErrors as refused:
            raise RefusedError(refused.errors) from refused
        said = {
            "plan": done.plan,
            "before": done.before,
            "changes": [{"key": each.key, "what": each.what} for each in done.changes],
            "confirmed": done.confirmed,
            "workers": done.workers,
        }
        return reply(said, 200 if done.confirmed == done.workers else 202)
