"""What comes in at the public door: who asks, bodies within limits, and the ``Request`` made of them."""

from __future__ import annotations

from collections.abc import Mapping

from cachebox import LRUCache

from pennyworth.decide.key import Keyring
from pennyworth.decide.scope import CONVERSATION_HEADER, narrowed
from pennyworth.errors import RequestError
from pennyworth.mac import Mac
from pennyworth.plan import Limits, Plan
from pennyworth.request import Caller, Request
from pennyworth.server.auth import Gatekeeper
from pennyworth.server.request_head import Head
from pennyworth.view import Tenants
from pennyworth.wire import asking, other
from pennyworth.wire.codec import Codec


class Reader:
    """Reads requests, and remembers the last small ones: applications send the same bytes again and again, and a
    ``Request`` is a value that depends on nothing but those bytes, these headers and the caller."""

    _LARGEST = 4096
    _MOST = 512

    def __init__(self, plan: Plan, keyring: Keyring) -> None:
        self._vary = plan.cache.vary_headers
        self._max_depth = plan.limits.max_depth
        ours = ("cache-control", asking.TAGS_HEADER, asking.USER_HEADER, CONVERSATION_HEADER, *asking.TIMEOUT_HEADERS)
        self._named = (*ours, *self._vary)
        self._seal = Mac(keyring.derive("scope within a key"))
        self._known: LRUCache[tuple[str, bytes, Caller, tuple[str | None, ...]], Request] = LRUCache(self._MOST)

    def read(self, codec: Codec, body: bytes, headers: Mapping[str, str], caller: Caller) -> Request:
        """Raises ``RequestError``."""
        if len(body) > self._LARGEST or asking.ONCE_HEADER in headers:
            return self._read(codec, body, headers, caller)
        name = (codec.PATH, body, caller, tuple(map(headers.get, self._named)))
        request = self._known.get(name)
        if request is None:
            request = self._read(codec, body, headers, caller)
            self._known.insert(name, request)
        return request

    def read_other(self, head: Head, body: bytes, caller: Caller) -> Request:
        """What is asked beside the dialects. Raises ``RequestError``."""
        asked = other.Asking(head.method, head.escaped, head.query.decode("latin-1"), head.headers)
        request = other.read_request(asked, body, caller, vary=self._vary, max_depth=self._max_depth)
        return narrowed(request, head.headers, self._seal) if caller.narrow else request

    def _read(self, codec: Codec, body: bytes, headers: Mapping[str, str], caller: Caller) -> Request:
        request = codec.read_request(body, headers, caller, vary=self._vary, max_depth=self._max_depth)
        return narrowed(request, headers, self._seal) if caller.narrow else request


class Reception:
    """All that the door remembers of callers, for one Plan and one set of tenants: it is dropped whole when either
    changes, so that nothing it let in can outlast a revocation, a rotation, an expiry or a changed allowance.

    Attributes:
        admitted: the callers of heads that have been looked at.
    """

    _MOST = 512

    def __init__(self, plan: Plan, tenants: Tenants, keyring: Keyring) -> None:
        self.tenants = tenants
        self.reader = Reader(plan, keyring)
        self.admitted: LRUCache[Head, Caller] = LRUCache(self._MOST)
        self._gatekeeper = Gatekeeper(plan, tenants, keyring)

    def admit(self, head: Head) -> Caller:
        """Who sends this head. Raises ``RequestError``."""
        return self._gatekeeper.admit(head.headers.get("authorization", ""), head.headers.get("x-api-key", ""))


def check_announced(head: Head, limits: Limits) -> None:
    """What the head says of the body. Raises ``RequestError``: 415, compressed; 413, too large."""
    coding = head.headers.get("content-encoding", "identity")
    if coding.lower() not in ("identity", ""):
        raise RequestError(
            f"The body comes with Content-Encoding {coding[:40]!a}. Send it uncompressed.",
            status=415,
            code="unsupported_encoding",
        )
    if (head.length or 0) > limits.max_body_bytes:
        raise too_large(limits)


def too_large(limits: Limits) -> RequestError:
    return RequestError(
        f"The body is larger than limits.max_body_bytes ({limits.max_body_bytes}). "
        "Send less, or ask the operator to raise it.",
        status=413,
        code="body_too_large",
    )


def too_slow(limits: Limits) -> RequestError:
    return RequestError(
        f"The body did not come within limits.body_timeout ({limits.body_timeout_s:g} s). "
        "Send it faster, or ask the operator to raise it.",
        status=408,
        code="body_timeout",
    )
