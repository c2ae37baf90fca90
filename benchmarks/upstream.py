"""A provider that costs next to nothing: constant, pre-encoded replies behind a bare protocol.

    .venv/bin/python -m benchmarks.upstream

It prints its port, and serves any path: JSON of one choice, or a stream of 23 events and ``[DONE]`` when the body asks
for one, written at once or, where the body holds ``questions.PACED``, one a millisecond. A path that ends as one of another
dialect does is answered in that. ``GET /count``: how many it gave.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import uvloop

from benchmarks import wordings
from benchmarks.questions import MODEL, PACED
from benchmarks.wordings import PIECES, TEXT

PACE_S = 0.001

_USAGE = {"prompt_tokens": 120, "completion_tokens": 40, "total_tokens": 160}
_FRAME: dict[str, Any] = {"id": "chatcmpl-constant", "created": 1_700_000_000, "model": MODEL}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def completion() -> bytes:
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return msgspec.json.encode({**_FRAME, "object": "chat.completion", "choices": [choice], "usage": _USAGE})


def events() -> list[bytes]:
    """The stream: role, twenty words, the end, the usage; then ``[DONE]``."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in PIECES]
    deltas += [({}, "stop")]
    choices = [[{"index": 0, "delta": delta, "finish_reason": end}] for delta, end in deltas]
    frame = {**_FRAME, "object": "chat.completion.chunk"}
    chunks = [{**frame, "choices": choice} for choice in choices]
    chunks.append({**frame, "choices": [], "usage": _USAGE})
    return [b"data: " + data + b"\n\n" for data in (*map(msgspec.json.encode, chunks), b"[DONE]")]


def http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def error(status: int, message: str, headers: bytes = b"") -> bytes:
    body = msgspec.json.encode({"error": {"message": message, "type": "server_error", "param": None, "code": None}})
    head = b"HTTP/1.1 %d No\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, headers, len(body)) + body


_JSON = http(completion())
_CHUNKS = [b"%x\r\n%b\r\n" % (len(event), event) for event in events()]
_STREAM = STREAM_HEAD + b"".join(_CHUNKS) + LAST_CHUNK


def _streamed(events: list[bytes]) -> bytes:
    return STREAM_HEAD + b"".join([b"%x\r\n%b\r\n" % (len(event), event) for event in events]) + LAST_CHUNK


_OTHERS = {
    b"messages": (http(wordings.message()), _streamed(wordings.message_events())),
    b"responses": (http(wordings.response()), _streamed(wordings.responded())),
}
_VECTORS = {count: http(wordings.vectors(count)) for count in (1, 32)}


class Tally:
    """How many completions were given, over all connections."""

    def __init__(self) -> None:
        self.given = 0


class Constant(asyncio.Protocol):
    """One connection. It reads the request line and Content-Length and nothing else; callers do not pipeline."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._got = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, blank, body = self._got.partition(b"\r\n\r\n")
        if not blank:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self._got = b""
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /count"):
            self._transport.write(http(b"%d" % self._tally.given))
            return
        self._tally.given += 1
        path = head[: head.find(b" HTTP/")].rpartition(b"/")[2]
        if path == b"embeddings":
            self._transport.write(_VECTORS[body.count(b"Question ")])
        elif (other := _OTHERS.get(path)) is not None:
            self._transport.write(other[b'"stream":true' in body])
        elif b'"stream":true' not in body:
            self._transport.write(_JSON)
        elif PACED not in body:
            self._transport.write(_STREAM)
        else:
            self._transport.write(STREAM_HEAD)
            self._pace(0)

    def _pace(self, place: int) -> None:
        if self._transport.is_closing():
            return
        if place == len(_CHUNKS):
            self._transport.write(LAST_CHUNK)
            return
        self._transport.write(_CHUNKS[place])
        asyncio.get_running_loop().call_later(PACE_S, self._pace, place + 1)


async def _main() -> None:
    tally = Tally()
    server = await asyncio.get_running_loop().create_server(lambda: Constant(tally), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
