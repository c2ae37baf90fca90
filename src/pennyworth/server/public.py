"""The public door, raw ASGI: chat completions, models, health. One function per path, no framework on the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from cachebox import LRUCache

from pennyworth.decide.admit import Refuse
from pennyworth.engine import heads
from pennyworth.engine.engine import Engine
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import RequestError
from pennyworth.plan import Plan
from pennyworth.request import Caller, Request
from pennyworth.server.auth import Gatekeeper
from pennyworth.wire import chat, problems

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CLOSE = (b"connection", b"close")


class PublicDoor:
    """An ASGI application. ``ready`` says whether a load balancer should send work here."""

    def __init__(self, engine: Engine, gatekeeper: Gatekeeper) -> None:
        self._engine = engine
        self._gatekeeper = gatekeeper
        self._reader = Reader(engine.state.plan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path == "/v1/chat/completions":
            reply = await self._chat(scope, receive, send) if method == "POST" else _not_allowed("POST", path)
        elif path in _SMALL:
            reply = _SMALL[path](self, scope) if method in ("GET", "HEAD") else _not_allowed("GET", path)
        else:
            reply = _problem(
                404,
                f"There is nothing at {path[:200]}. This gateway serves /v1/chat/completions and /v1/models.",
                "not_found",
            )
        if reply is not None:
            await write(send, reply)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            caller = self._gatekeeper.admit(headers.get("authorization", ""), headers.get("x-api-key", ""))
        except RequestError as error:
            return _problem(error.status, error.message, error.code)
        request = await self._read(headers, caller, receive)
        if not isinstance(request, Request):
            return request
        handled = await self._engine.handle(request)
        if isinstance(handled, Reply):
            return handled
        return await self._relay(handled, receive, send)

    async def _read(self, headers: dict[str, str], caller: Caller, receive: Receive) -> Request | Reply | None:
        plan = self._engine.state.plan
        try:
            body = await read_body(headers, receive, plan.limits.max_body_bytes)
            if body is None:
                return None
            return self._reader.read(body, headers, caller)
        except RequestError as error:
            no = Refuse(error.status, error.code, error.message)
            reply = self._engine.refuse(caller, self._engine.state.snapshot(), no, param=error.param)
            if error.status == 413:
                reply.headers.append(_CLOSE)
            return reply

    async def _relay(self, relay: Relay, receive: Receive, send: Send) -> Reply | None:
        """Gives the reply as it comes. A caller who hangs up closes the relay; so does every other way out of here."""
        watch = asyncio.get_running_loop().create_task(_hang_up(receive, relay))
        try:
            reply = await relay.reply()
            if not reply.more:
                return reply
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            while block := await relay.read():
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return None
        finally:
            relay.close()
            watch.cancel()

    def _models(self, scope: Scope) -> Reply:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._gatekeeper.admit(headers.get("authorization", ""), headers.get("x-api-key", ""))
        except RequestError as error:
            return _problem(error.status, error.message, error.code)
        plan = self._engine.state.plan
        rows = [(name, spec.provider or "pennyworth") for name, spec in plan.models.items()]
        for provider in plan.providers:
            rows += [(name, provider.name) for name in provider.models if "*" not in name]
        data = [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in dict(rows).items()]
        return Reply(200, [heads.JSON], msgspec.json.encode({"object": "list", "data": data}))

    def _healthz(self, _: Scope) -> Reply:
        return Reply(200, [heads.JSON], b'{"status":"ok"}')

    def _readyz(self, _: Scope) -> Reply:
        if self._engine.state.draining:
            return Reply(503, [heads.JSON], b'{"status":"draining"}')
        return Reply(200, [heads.JSON], b'{"status":"ready"}')


_SMALL: dict[str, Callable[[PublicDoor, Scope], Reply]] = {
    "/v1/models": PublicDoor._models,
    "/healthz": PublicDoor._healthz,
    "/readyz": PublicDoor._readyz,
}


class Reader:
    """Reads requests, and remembers the last small ones: applications send the same bytes again and again, and a
    ``Request`` is a value that depends on nothing but those bytes, these headers and the caller."""

    _LARGEST = 4096
    _MOST = 1024

    def __init__(self, plan: Plan) -> None:
        self._vary = plan.cache.vary_headers
        self._max_depth = plan.limits.max_depth
        self._named = ("cache-control", chat.TAGS_HEADER, *self._vary)
        self._known: LRUCache[tuple[bytes, Caller, tuple[str | None, ...]], Request] = LRUCache(self._MOST)

    def read(self, body: bytes, headers: dict[str, str], caller: Caller) -> Request:
        if len(body) > self._LARGEST:
            return chat.read_request(body, headers, caller, vary=self._vary, max_depth=self._max_depth)
        name = (body, caller, tuple(map(headers.get, self._named)))
        request = self._known.get(name)
        if request is None:
            request = chat.read_request(body, headers, caller, vary=self._vary, max_depth=self._max_depth)
            self._known.insert(name, request)
        return request


async def read_body(headers: dict[str, str], receive: Receive, limit: int) -> bytes | None:
    """The whole body; ``None`` if the caller left before its end.

    Raises:
        RequestError: 413, larger than ``limit``.
    """
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join([*parts, part]) if parts else bytes(part)
        parts.append(part)


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"The body is larger than limits.max_body_bytes ({limit}). Send less, or ask the operator to raise it.",
        status=413,
        code="body_too_large",
    )


async def _hang_up(receive: Receive, relay: Relay) -> None:
    """ASGI tells of a disconnect by ``receive``; it also returns once the response is complete."""
    await receive()
    relay.close()


async def write(send: Send, reply: Reply) -> None:
    reply.headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})


def _problem(status: int, message: str, code: str) -> Reply:
    head = [heads.JSON]
    if status == 401:
        head.append((b"www-authenticate", b"Bearer"))
    return Reply(status, head, problems.problem(status, message, code=code))


def _not_allowed(allowed: str, path: str) -> Reply:
    reply = _problem(405, f"{path} takes {allowed} only.", "method_not_allowed")
    reply.headers.append((b"allow", allowed.encode()))
    return reply
