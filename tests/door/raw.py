"""A client that sends exactly the bytes it is told to, and reads what comes back as HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
from types import TracebackType
from typing import Any

import msgspec


class RawReply(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"]
        return dict(error)


class Wire:
    """One connection. ``read`` gives the next reply, ``None`` if the server closed instead."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._buffer = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Wire:
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def read(self) -> RawReply | None:
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        if status == 100:
            return RawReply(status, headers, b"")
        return RawReply(status, headers, self._body(headers))

    def closed(self) -> bool:
        """Whether the server has closed, or closes now."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n") or b"0", 16):
                body += self._exactly(size + 2)[:-2]
            self._exactly(2)
            return body
        while data := self._more():
            self._buffer += data
        body, self._buffer = self._buffer, b""
        return body

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            data = self._more()
            if not data:
                return None
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self._more()
            assert data, f"the reply ended {size - len(self._buffer)} bytes early"
            self._buffer += data
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _more(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionError:
            return b""


def post(body: bytes, *headers: str, path: str = "/v1/chat/completions", version: str = "HTTP/1.1") -> bytes:
    """A POST with a proper head; ``headers`` are added as they stand."""
    lines = [f"POST {path} {version}", "Host: gateway", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def question(text: str = "hi", **fields: Any) -> bytes:
    """The body of a chat request."""
    fields = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **fields}
    return json.dumps(fields, ensure_ascii=False).encode()
