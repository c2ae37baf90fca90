"""A tunnel through an HTTP proxy (CONNECT, RFC 9110 §9.3.6), made on a connected socket before TLS begins on it.

Only the proxy's credential is said here, and only to the proxy; the provider's goes through the tunnel, under TLS.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket

from pennyworth.secret import Secret
from pennyworth.upstreams.road import ProxyError, unknown_to_proxy

_LONGEST_HEAD = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: |\r\n)")
_INFORMAL = range(100, 200)


async def tunnel(line: socket.socket, where: str, key: Secret) -> None:
    """Until the proxy has said yes. ``where``: host and port. Raises ``ProxyError`` or ``OSError``; closes nothing."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line, f"CONNECT {where} HTTP/1.1\r\nhost: {where}\r\n{authorization(key)}\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > _LONGEST_HEAD:
            raise ProxyError("sent a head that does not end")
        piece = await loop.sock_recv(line, 4096)
        if not piece:
            raise ProxyError("closed the connection before it answered")
        head += piece
    _judge(head)


def authorization(key: Secret) -> str:
    """The header line that shows who we are, or nothing (RFC 7617)."""
    if not key:
        return ""
    return f"proxy-authorization: Basic {base64.b64encode(key.reveal().encode()).decode()}\r\n"


def _judge(head: bytes) -> None:
    found = _STATUS.match(head)
    status = int(found[1]) if found else 0
    if found is None or status in _INFORMAL:
        raise ProxyError("did not answer in HTTP: is it an HTTP proxy?")
    if status == 407:
        raise unknown_to_proxy()
    if not 200 <= status < 300:
        raise ProxyError(f"does not let us through to the provider ({status})")
    if not head.endswith(b"\r\n\r\n"):  # in TLS the client speaks first, so these bytes are nobody's
        raise ProxyError("sent something of its own into the tunnel")
