"""A request as it comes in at a door, and what a door is."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pennyworth.decide.admit import Refuse
from pennyworth.engine.passage import Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import RequestError
from pennyworth.request import Caller
from pennyworth.server.request_head import Head
from pennyworth.view import Tenants


class Asked:
    """Head and body.

    Attributes:
        caller: who asks, once the door has found out.
        size: bytes of the body so far.
        tenants: those among whom it was found.
        fault: why its body cannot be had, if so: the door refuses it, and nothing after it is read.
    """

    __slots__ = ("_parts", "caller", "fault", "head", "size", "tenants")

    def __init__(self, head: Head, body: bytes = b"") -> None:
        self.head = head
        self.caller: Caller | None = None
        self.tenants: Tenants | None = None
        self.fault: RequestError | None = None
        self.size = len(body)
        self._parts = [body] if body else []

    def add(self, part: bytes) -> None:
        self.size += len(part)
        self._parts.append(part)

    def fail(self, fault: RequestError) -> None:
        """The first fault stands."""
        self.fault = self.fault or fault
        self._parts.clear()

    @property
    def body(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class Door(Protocol):
    """Who answers. All is done at once, but for what ``answer`` may return.

    - ``preview``: what can be said by the head alone, before the body has come: a refusal, or nothing.
    - ``answer``: the reply to a whole request: at once, as a relay to take it from, or in a while.
    - ``broken``: the reply to a request whose body has a ``fault``.
    - ``left``: the caller went before the body had come.
    - ``refuse``: a reply to what cannot be read at all. ``failed``: the reply when the door itself fails.
    """

    def preview(self, asked: Asked) -> Reply | None: ...

    def answer(self, asked: Asked) -> Reply | Relay | Awaitable[Reply | Relay]: ...

    def broken(self, asked: Asked, fault: RequestError) -> Reply: ...

    def left(self, asked: Asked) -> None: ...

    def refuse(self, no: Refuse) -> Reply: ...

    def failed(self, error: Exception) -> Reply: ...
