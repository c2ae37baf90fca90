"""The sandbox as a raw ASGI application: routes, the wait for each token, and the breaking of connections.

Needs the server of ``serve.py``: it finds the socket's ``Peer`` in ``scope["state"]``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from pennyworth.sandbox.ask import RefusedError, error_body
from pennyworth.sandbox.batch_doors import BATCH_PATHS, Came, answer, is_batch_path
from pennyworth.sandbox.batch_lines import HalfBill, Runner, halved
from pennyworth.sandbox.batches import Batches
from pennyworth.sandbox.bill import Bill, BillLine
from pennyworth.sandbox.control import PREFIX, control
from pennyworth.sandbox.delivery import Delivery
from pennyworth.sandbox.manners import ANTHROPIC, OPENAI, Manner
from pennyworth.sandbox.peer import Peer
from pennyworth.sandbox.provider import Job, Provider, settle, settle_refused
from pennyworth.sandbox.settings import Settings
from pennyworth.sandbox.stats import Stats
from pennyworth.sandbox.status import retry_after_of
from pennyworth.sandbox.wires import WIRES, Wire

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_COUNT = "/v1/messages/count_tokens"
_STORED = "/v1/responses/"
_BURST = 16
"""Events sent in a row before the loop may look at its other sockets: only then is a leaving client noticed."""


class Sandbox:
    """A simulated provider. One instance is one provider with its own bill."""

    def __init__(self, settings: Settings) -> None:
        self.provider = Provider(settings)
        self.stats = Stats()
        self.batches = self._batches()

    def reset(self) -> None:
        """Start afresh. Requests under way are settled on the old bill, which nobody reads any more."""
        self.provider.reset()
        self.stats = Stats()
        self.batches = self._batches()

    def _batches(self) -> Batches:
        settings = self.provider.settings
        return Batches(
            settings.batches, f"{settings.run}{int(time.time() * 1000):x}", lambda: Runner(half_priced(self))
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["method"] == "POST" and (wire := WIRES.get(path)) is not None:
            await self._answer(scope, receive, send, wire)
        elif path == _COUNT and scope["method"] == "POST":
            await self._count(scope, receive, send)
        elif path.startswith(_STORED) and scope["method"] in ("GET", "DELETE"):
            await self._remember(scope, send)
        elif is_batch_path(path):
            await self._batch(scope, receive, send)
        elif path.startswith(PREFIX):
            await self._control(scope, receive, send)
        else:
            await self._other(scope["method"], path, send)

    async def _control(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive, self.provider.settings.max_body_bytes)
        except RefusedError as refused:
            await _respond(send, refused.status, refused.body, [])
            return
        status, fields = control(self, scope["method"], scope["path"], scope["query_string"], body)
        await _respond(send, status, msgspec.json.encode(fields), [])

    async def _remember(self, scope: Message, send: Send) -> None:
        """A stored response, read or deleted."""
        stored, name = self.provider.stored, scope["path"].removeprefix(_STORED)
        try:
            tenant = self.provider.tenant(OPENAI.credential(scope["headers"]))
            said = (stored.read if scope["method"] == "GET" else stored.delete)(tenant, name)
        except RefusedError as refused:
            await _respond(send, refused.status, refused.body, [])
        else:
            await _respond(send, 200, msgspec.json.encode(said), [])

    async def _count(self, scope: Message, receive: Receive, send: Send) -> None:
        """The input tokens of a request to Messages: nothing to answer, nothing to pay."""
        try:
            body = await _body(receive, self.provider.settings.max_body_bytes)
            counted = self.provider.count(body, ANTHROPIC.credential(scope["headers"]))
        except RefusedError as refused:
            await _respond(send, refused.status, ANTHROPIC.refused(refused), [], ANTHROPIC)
        else:
            await _respond(send, 200, msgspec.json.encode({"input_tokens": counted}), [], ANTHROPIC)

    async def _batch(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await _body(receive, self.provider.settings.max_body_bytes)
            base = f"http://{headers.get('host', '')}"
            given = answer(
                self.batches, Came(scope["method"], scope["path"], scope["query_string"], headers, body, base)
            )
        except RefusedError as refused:
            await _respond(send, refused.status, refused.body, [])
            return
        await _respond(send, given.status, given.body, [])

    async def _answer(self, scope: Message, receive: Receive, send: Send, wire: Wire) -> None:
        peer: Peer = scope["state"]["peer"]
        credential, manner = "", wire.manner
        request_id = self.provider.next_id()
        bill, stats = self.provider.bill, self.stats
        stats.arrived()
        try:
            body = await _body(receive, self.provider.settings.max_body_bytes)
            credential = manner.credential(scope["headers"])
            job = self.provider.take(body, credential, request_id, wire)
        except RefusedError as refused:
            await _respond(send, refused.status, manner.refused(refused), [_id_header(request_id, manner)], manner)
            line = settle_refused(bill, request_id, credential, refused.status)
        else:
            line = await _fulfil(job, bill, peer, send)
        stats.settled(line)

    async def _other(self, method: str, path: str, send: Send) -> None:
        models = [_model(name) for name in self.provider.settings.prices]
        if method == "GET" and path == "/v1/models":
            await _respond(send, 200, msgspec.json.encode({"object": "list", "data": models}), [])
            return
        for model in models:
            if method == "GET" and path == f"/v1/models/{model['id']}":
                await _respond(send, 200, msgspec.json.encode(model), [])
                return
        message = f"Invalid URL ({method} {path}). The sandbox has {', '.join((*WIRES, *BATCH_PATHS))}, /v1/models and {PREFIX}*."
        await _respond(send, 404, error_body(message, kind="invalid_request_error"), [])


def half_priced(sandbox: Sandbox) -> Sandbox:
    """A twin that answers in the same way, and writes half the price on the same bill."""
    provider = sandbox.provider
    settings = provider.settings
    twin = Sandbox(
        msgspec.structs.replace(settings, prices=halved(settings.prices), run=f"{settings.run}b{provider.next_id()}")
    )
    twin.provider.bill = HalfBill(provider.bill, settings.prices)
    twin.provider.script = provider.script
    twin.provider.prompts = provider.prompts
    twin.provider.stored = provider.stored
    return twin


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1735689600, "owned_by": "pennyworth-sandbox-simulator"}


async def _fulfil(job: Job, bill: Bill, peer: Peer, send: Send) -> BillLine:
    """Let happen what befalls this request, and settle it."""
    match job.rule.kind if job.rule else "":
        case "status" if job.rule:
            await _respond(send, job.rule.status, job.manner.failed(job.rule.status), _error_headers(job), job.manner)
            return settle(bill, job, status=job.rule.status, generated=0, completed=False)
        case "reset":
            await peer.reset()
            return settle(bill, job, status=0, generated=0, completed=False)
        case "hang":
            await peer.wait()
            return settle(bill, job, status=0, generated=0, completed=False)
        case _:
            generated = await _deliver(job, peer, send)
            return settle(bill, job, status=200, generated=generated, completed=not peer.gone)


async def _deliver(job: Job, peer: Peer, send: Send) -> int:
    """Send a reply at its pace and end it as planned; how many output tokens were generated by then."""
    delivery, answer = job.delivery, job.answer
    if delivery is None or answer is None:
        raise ValueError(f"{job.request_id} has no reply to deliver")
    started = asyncio.get_running_loop().time()
    if job.ask.stream:
        return answer.reasoning + await _stream(job, delivery, peer, send, started)
    if job.pace.first_s or job.pace.gap_s:
        await peer.wait(job.pace.due_s(answer.tokens))
    if delivery.length is not None and delivery.ending == "end":
        await _start(job, delivery, send, started)
        await send({"type": "http.response.body", "body": b"".join([data for data, _ in delivery.steps])})
        return answer.tokens
    return max(answer.tokens, await _stream(job, delivery, peer, send, None))


async def _stream(job: Job, delivery: Delivery, peer: Peer, send: Send, started: float | None) -> int:
    """Send step by step, each when it is due (``started`` is ``None``: as fast as may be), and stop when nobody listens."""
    clock = asyncio.get_running_loop().time
    paced = started is not None and (job.pace.first_s or job.pace.gap_s)
    if paced and not await peer.wait(job.pace.first_s):
        return 0
    await _start(job, delivery, send, started)
    generated = 0
    for number, (data, tokens) in enumerate(delivery.steps):
        pause = delivery.pause_s or (
            job.pace.due_s(generated + tokens) - (clock() - started) if paced and started else 0.0
        )
        if pause > 0.0 and not await peer.wait(pause):
            return generated
        generated += tokens
        await send({"type": "http.response.body", "body": data, "more_body": True})
        if not number % _BURST:
            await asyncio.sleep(0)
        if peer.gone:
            return generated
    await _end(delivery, peer, send)
    return generated


async def _start(job: Job, delivery: Delivery, send: Send, started: float | None) -> None:
    headers: Headers = [_EVENTS if job.ask.stream else _JSON, _id_header(job.request_id, job.manner)]
    headers += job.manner.always
    if started is not None and job.manner is OPENAI:
        took_ms = int((asyncio.get_running_loop().time() - started) * 1000)
        headers.append((b"openai-processing-ms", b"%d" % took_ms))
    if delivery.length is not None:
        headers.append((b"content-length", b"%d" % delivery.length))
    if delivery.gzip:
        headers.append((b"content-encoding", b"gzip"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _end(delivery: Delivery, peer: Peer, send: Send) -> None:
    match delivery.ending:
        case "end":
            await send({"type": "http.response.body", "body": b""})
        case "hang":
            await peer.wait()
        case "cut":
            await peer.close()
        case "reset":
            await peer.reset()


async def _respond(
    send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]], manner: Manner = OPENAI
) -> None:
    head = [_JSON, (b"content-length", b"%d" % len(body)), *manner.always, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise RefusedError(413, f"The request body is larger than {limit} bytes.")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _id_header(request_id: str, manner: Manner) -> tuple[bytes, bytes]:
    return manner.id_header, b"req_" + request_id.encode()


def _error_headers(job: Job) -> Headers:
    headers = [_id_header(job.request_id, job.manner)]
    if job.rule and job.rule.retry_after:
        headers.append((b"retry-after", retry_after_of(job.rule, time.time()).encode()))
    return headers
