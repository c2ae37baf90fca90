"""The public door, raw ASGI: chat completions, models, health. One function per path, no framework on the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from pennyworth.decide.admit import Refuse
from pennyworth.engine import heads
from pennyworth.engine.engine import Engine
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import RequestError
from pennyworth.request import Caller, Request
from pennyworth.server.auth import Gatekeeper
from pennyworth.server.guard import WHOLE
from pennyworth.server.intake import CallerLeftError, Reader, Receive, Scope, drop_body, read_body, read_headers
from pennyworth.wire import problems

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CLOSE = (b"connection", b"close")
_LINGER_S = 2.0
"""How long the rest of a body that nobody wants is read after the reply: a client that writes it all before it reads
would otherwise meet a reset instead of the reply."""

_LEFT = Refuse(499, "caller_left", "the caller left before the body had come")


class PublicDoor:
    """An ASGI application. ``/readyz`` says whether a load balancer should send work here."""

    def __init__(self, engine: Engine, gatekeeper: Gatekeeper) -> None:
        self._engine = engine
        self._gatekeeper = gatekeeper
        self._reader = Reader(engine.state.plan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            reply = await self._answer(scope, receive, send)
        except Exception as error:  # the door's edge: a defect of ours is answered as JSON too, and told in one line
            self._engine.state.defect("door", error)
            reply = _problem(500, "The gateway itself failed. Its log says more; asking again may help.", "internal")
        if reply is None:
            return
        if WHOLE in scope:
            await write(send, reply)
        else:
            await write_early(send, receive, reply)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        path, method = scope["path"], scope["method"]
        if path == "/v1/chat/completions":
            return await self._chat(scope, receive, send) if method == "POST" else _not_allowed("POST", path)
        if path in _SMALL:
            return _SMALL[path](self, scope) if method in ("GET", "HEAD") else _not_allowed("GET", path)
        return _problem(
            404,
            f"There is nothing at {path[:200]}. This gateway serves /v1/chat/completions and /v1/models: "
            "the base URL of an SDK ends in /v1.",
            "not_found",
        )

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        headers = read_headers(scope["headers"])
        try:
            caller = self._gatekeeper.admit(headers.get("authorization", ""), headers.get("x-api-key", ""))
        except RequestError as error:
            return _problem(error.status, error.message, error.code)
        request = await self._read(scope, headers, caller, receive)
        if not isinstance(request, Request):
            return request
        handled = await self._engine.handle(request)
        if isinstance(handled, Reply):
            return handled
        return await self._relay(handled, receive, send)

    async def _read(
        self, scope: Scope, headers: dict[str, str], caller: Caller, receive: Receive
    ) -> Request | Reply | None:
        state = self._engine.state
        try:
            body = await read_body(scope, headers, receive, state.plan.limits)
            scope[WHOLE] = True
            return self._reader.read(body, headers, caller)
        except RequestError as error:
            no = Refuse(error.status, error.code, error.message)
            return self._engine.refuse(caller, state.snapshot(), no, param=error.param, reason=_for_the_books(error))
        except CallerLeftError:
            self._engine.refuse(caller, state.snapshot(), _LEFT)
            return None

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
        headers = read_headers(scope["headers"])
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


async def _hang_up(receive: Receive, relay: Relay) -> None:
    """ASGI tells of a disconnect by ``receive``; it also returns once the response is complete."""
    await receive()
    relay.close()


async def write(send: Send, reply: Reply) -> None:
    if reply.status != 204:  # which has no content, so that a length may not be stated (RFC 9110 §8.6)
        reply.headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})


async def write_early(send: Send, receive: Receive, reply: Reply) -> None:
    """Answers before the body has come, which ends the connection: a caller who waits for ``100 Continue`` may or may
    not send the body now (RFC 9110 §10.1.1), so what comes next cannot be told from a request."""
    reply.headers += [_CLOSE, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
    await drop_body(receive, _LINGER_S)
    await send({"type": "http.response.body", "body": b""})


def _for_the_books(error: RequestError) -> str:
    """Why a request was refused, without the caller's own words: receipts hold no prompt and no secret."""
    return f"{error.code}: {error.param}" if error.code == "invalid_value" else error.code


def _problem(status: int, message: str, code: str) -> Reply:
    head = [heads.JSON]
    if status == 401:
        head.append((b"www-authenticate", b"Bearer"))
    return Reply(status, head, problems.problem(status, message, code=code))


def _not_allowed(allowed: str, path: str) -> Reply:
    reply = _problem(405, f"{path} takes {allowed} only.", "method_not_allowed")
    reply.headers.append((b"allow", allowed.encode()))
    return reply
