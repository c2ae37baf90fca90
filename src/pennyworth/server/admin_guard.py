"""Who may use the admin port: holders of its key; without one, programs of this machine, but no web page open on it.

Everything is refused that is not let in here, paths that do not exist included.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from pennyworth.errors import RequestError
from pennyworth.server.admin_desk import Desk
from pennyworth.server.admin_json import error_body

_READING = ("GET", "HEAD")


class Guard:
    """An ASGI application in front of another. It goes by the desk's Plan, whose key a reload may change."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._hosts = {"localhost", "127.0.0.1", "[::1]", _authority(desk.plan.listen.admin_host)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        error = self._refusal(scope["method"], headers)
        if error is None:
            await self._app(scope, receive, send)
        else:
            await _refuse(error, send, head=scope["method"] == "HEAD")

    def _refusal(self, method: str, headers: dict[str, str]) -> RequestError | None:
        if key := self._desk.plan.admin_key:
            shown = _bearer(headers.get("authorization", "")).encode("latin-1")
            if not hmac.compare_digest(_sealed(key.reveal().encode()), _sealed(shown)):
                return _NO_KEY
        elif _bare_host(headers.get("host", "")) not in self._hosts:
            # A page may point a name of its own at 127.0.0.1 and then read us as its origin (DNS rebinding).
            return _OTHER_HOST
        if method not in _READING and _media_type(headers.get("content-type", "")) != "application/json":
            # A page may post forms and plain text to any address without asking; JSON it may not.
            return _NOT_JSON
        return None


_NO_KEY = RequestError(
    "The admin port wants its key: send 'Authorization: Bearer' and the value of PENNYWORTH_ADMIN_KEY (or of the "
    "variable that admin.key_env names).",
    status=401,
    code="admin_key_required",
)
_OTHER_HOST = RequestError(
    "Without an admin key this port answers to localhost, 127.0.0.1, [::1] and admin.host only. Use one of these as "
    "the Host, or set PENNYWORTH_ADMIN_KEY.",
    status=403,
    code="host_not_allowed",
)
_NOT_JSON = RequestError(
    "Calls that change something carry JSON: send 'Content-Type: application/json'.",
    status=415,
    code="content_type",
)


async def _refuse(error: RequestError, send: Send, *, head: bool) -> None:
    body = error_body(error)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


def _sealed(key: bytes) -> bytes:
    """Of one length, so that comparing two says nothing about theirs."""
    return hashlib.sha256(key).digest()


def _bearer(authorization: str) -> str:
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _bare_host(host: str) -> str:
    """Without its port: ``[::1]:8081`` is ``[::1]``."""
    bare, colon, port = host.strip().lower().rpartition(":")
    return bare if colon and port.isdigit() and (bare.endswith("]") or ":" not in bare) else host.strip().lower()


def _authority(host: str) -> str:
    return f"[{host.lower()}]" if ":" in host else host.lower()


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
