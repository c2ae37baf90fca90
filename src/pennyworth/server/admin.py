"""The admin port: statistics, receipts, metrics, and changes at run time. Its own address, its own key, no haste."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from pennyworth import __version__
from pennyworth.engine import heads
from pennyworth.engine.passage import Reply
from pennyworth.errors import RequestError, StoreError
from pennyworth.server.admin_changes import Changes
from pennyworth.server.admin_desk import Desk
from pennyworth.server.admin_forget import Forgetting
from pennyworth.server.admin_guard import Guard
from pennyworth.server.admin_json import error_body, reply
from pennyworth.server.admin_keys import Keys
from pennyworth.server.admin_reading import Reading
from pennyworth.server.admin_reload import Reloading
from pennyworth.server.asgi_door import AsgiDoor
from pennyworth.server.http_server import HttpServer
from pennyworth.server.reload import Reloader

_STOP_S = 2
"""Reading statistics holds up no shutdown for longer."""


def admin_app(desk: Desk, reloader: Reloader) -> ASGIApp:
    """The whole port as an ASGI application, guarded."""
    app = Starlette(
        routes=_routes(
            Reading(desk, reloader.history), Changes(desk), Keys(desk), Forgetting(desk), Reloading(reloader)
        ),
        exception_handlers={
            HTTPException: _http_problem,
            RequestError: _request_problem,
            StoreError: _store_problem,
            Exception: _bug,
        },
    )
    app.router.redirect_slashes = False
    return Guard(app, desk)


def _routes(
    reading: Reading, changes: Changes, keys: Keys, forgetting: Forgetting, reloading: Reloading
) -> list[BaseRoute]:
    routes = [
        Route("/api/v1/cache/stats", reading.stats),
        Route("/api/v1/receipts", reading.receipts),
        Route("/api/v1/receipts/{id}", reading.receipt),
        Route("/api/v1/totals", reading.totals),
        Route("/api/v1/control", reading.control),
        Route("/api/v1/targets", reading.targets),
        Route("/api/v1/budgets", reading.budgets),
        Route("/api/v1/purge", changes.purge, methods=["POST"]),
        Route("/api/v1/kill-switch", changes.kill_switch, methods=["POST"]),
        Route("/api/v1/switches", changes.switch, methods=["PUT"]),
        Route("/api/v1/revisions", changes.revision, methods=["POST"]),
        Route("/api/v1/keys", keys.all, methods=["GET", "POST"]),
        Route("/api/v1/keys/{name}/rotate", keys.rotate, methods=["POST"]),
        Route("/api/v1/keys/{name}/revoke", keys.revoke, methods=["POST"]),
        Route("/api/v1/forget", forgetting.forget, methods=["GET", "POST"]),
        Route("/api/v1/reload", reloading.reload, methods=["POST"]),
        Route("/metrics", reading.metrics),
        Route("/healthz", reading.healthz),
        Route("/readyz", reading.readyz),
    ]
    names = [f"{method} {route.path}" for route in routes for method in sorted(route.methods or ()) if method != "HEAD"]

    async def index(request: Request) -> Response:
        return reply({"pennyworth": __version__, "routes": names})

    return [Route("/", index), *routes]


@contextlib.asynccontextmanager
async def admin_server(desk: Desk, reloader: Reloader, listener: socket.socket) -> AsyncIterator[None]:
    """The port, served in this loop until the block ends; the desk is closed then."""
    server = HttpServer(AsgiDoor(admin_app(desk, reloader), _said), desk.plan.limits)
    await server.start(listener)
    try:
        yield
    finally:
        server.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.gone(), _STOP_S)
        server.abort()
        desk.close()


def _said(error: RequestError) -> Reply:
    return Reply(error.status, [heads.JSON], error_body(error))


def _problem(error: RequestError, status: int | None = None) -> Response:
    return Response(error_body(error), status or error.status, media_type="application/json")


async def _http_problem(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, or no such method there."""
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "")
    if error.status_code == 405:
        said = RequestError(f"{request.url.path[:200]} takes {allowed} only.", status=405, code="method_not_allowed")
    else:
        message = f"There is nothing at {request.url.path[:200]}. GET / lists what there is."
        said = RequestError(message, status=error.status_code, code="not_found")
    response = _problem(said)
    if allowed:
        response.headers["allow"] = allowed
    return response


async def _request_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _problem(error)


async def _store_problem(request: Request, error: Exception) -> Response:
    """The ledger or the control row. Requests are served all the same."""
    said = f"{error}. Nothing was changed. Look at state_dir: is the disk full, read-only, or locked?"
    return _problem(RequestError(said, status=503, code="store_trouble"))


async def _bug(request: Request, error: Exception) -> Response:
    """Starlette raises it again after this, so that it is in the log as well."""
    said = RequestError("Something went wrong here; the log says where.", status=500, code="internal")
    return _problem(said)
