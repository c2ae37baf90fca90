"""The public door: every dialect at its path, models, health. One function per path, no framework on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import msgspec

from pennyworth.decide import allowed
from pennyworth.decide.admit import Refuse
from pennyworth.decide.key import Keyring
from pennyworth.engine import heads
from pennyworth.engine.engine import Engine
from pennyworth.engine.passage import Passage, Reply
from pennyworth.engine.relay import Relay
from pennyworth.errors import RequestError
from pennyworth.request import Caller, Dialect
from pennyworth.server.asked import Asked
from pennyworth.server.intake import Reception, check_announced
from pennyworth.server.request_head import Head
from pennyworth.wire import chat, other
from pennyworth.wire.codec import Codec
from pennyworth.wire.dialects import CODECS


class _Way(NamedTuple):
    """What may be done at a path. ``codec``: None where it is passed through. ``said_in``: how its errors are said."""

    methods: tuple[str, ...]
    dialect: Dialect
    codec: Codec | None
    said_in: Codec


_WAYS: Mapping[str, _Way] = {f"/v1{codec.PATH}": _Way(("POST",), codec.name, codec, codec) for codec in CODECS.values()}
_LEFT = Refuse(499, "caller_left", "the caller left before the body had come")


class PublicDoor:
    """A ``Door``. ``/readyz`` says whether a load balancer should send work here."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._engine = engine
        self._state = engine.state
        self._keyring = keyring
        self._reception = Reception(self._state.plan, self._state.tenants, keyring)
        self._state.forgetful.append(self._receive_anew)

    def preview(self, asked: Asked) -> Reply | None:
        head = asked.head
        way = _WAYS.get(head.path) or _through(head)
        if way is None:
            return self._aside(head)
        if head.method not in way.methods:
            return _not_allowed(way.methods, head.path, way.said_in)
        reception = self._current()
        asked.tenants = reception.tenants
        asked.caller = reception.admitted.get(head)
        if asked.caller is not None:
            return None
        try:
            asked.caller = reception.admit(head)
        except RequestError as error:
            return _problem(error.status, error.message, error.code, way.said_in)
        try:
            check_announced(head, self._state.plan.limits)
        except RequestError as error:
            return self._refused(asked.caller, error, way)
        reception.admitted.insert(head, asked.caller)
        return None

    def answer(self, asked: Asked) -> Reply | Relay | Awaitable[Reply | Relay]:
        # Whoever sent it may be nobody any more since its head came.
        if asked.caller is None or asked.tenants is not self._state.tenants:
            if early := self.preview(asked):
                return early
            assert asked.caller is not None
        head = asked.head
        way = _WAYS.get(head.path) or _through(head)
        assert way is not None
        try:
            reader = self._reception.reader
            if way.codec is not None:
                request = reader.read(way.codec, asked.body, head.headers, asked.caller)
            else:
                request = reader.read_other(head, asked.body, asked.caller)
        except RequestError as error:
            return self._refused(asked.caller, error, way)
        begun = self._engine.begin(request)
        return self._engine.proceed(begun) if isinstance(begun, Passage) else begun

    def broken(self, asked: Asked, fault: RequestError) -> Reply:
        if asked.caller is None and (early := self.preview(asked)):
            return early
        way = _WAYS.get(asked.head.path) or _through(asked.head)
        assert asked.caller is not None
        assert way is not None
        return self._refused(asked.caller, fault, way)

    def left(self, asked: Asked) -> None:
        assert asked.caller is not None
        self._engine.refuse(asked.caller, self._state.snapshot(), _LEFT)

    def refuse(self, no: Refuse) -> Reply:
        return _problem(no.status, no.message, no.code)

    def failed(self, error: Exception) -> Reply:
        self._state.defect("door", error)
        return _problem(500, "The gateway itself failed. Its log says more; asking again may help.", "internal")

    def _current(self) -> Reception:
        """Who is let in now; what was remembered of others goes with them."""
        if self._reception.tenants is not self._state.tenants:
            self._receive_anew()
        return self._reception

    def _receive_anew(self) -> None:
        self._reception = Reception(self._state.plan, self._state.tenants, self._keyring)

    def _refused(self, caller: Caller, error: RequestError, way: _Way) -> Reply:
        no = Refuse(error.status, error.code, error.message, param=error.param)
        view = self._state.snapshot()
        reason = _for_the_books(error)
        return self._engine.refuse(caller, view, no, dialect=way.dialect, reason=reason, said_in=way.said_in.name)

    def _aside(self, head: Head) -> Reply:
        """Everything but the dialects."""
        if small := _SMALL.get(head.path):
            return small(self, head) if head.method in ("GET", "HEAD") else _not_allowed(("GET",), head.path)
        return _problem(
            404,
            f"There is nothing at {head.path[:200]}. This gateway serves {', '.join(_WAYS)} and /v1/models: "
            "the base URL of an SDK ends in /v1.",
            "not_found",
        )

    def _models(self, head: Head) -> Reply:
        """Those that can be named in full, as far as the caller may ask them."""
        try:
            caller = self._current().admit(head)
        except RequestError as error:
            return _problem(error.status, error.message, error.code)
        offered = allowed.offered(self._state.tenants.grants[caller.client], self._state.plan)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in offered.items()]
        return Reply(200, [heads.JSON], msgspec.json.encode({"object": "list", "data": data}))

    def _healthz(self, _: Head) -> Reply:
        return Reply(200, [heads.JSON], b'{"status":"ok"}')

    def _readyz(self, _: Head) -> Reply:
        if self._state.draining:
            return Reply(503, [heads.JSON], b'{"status":"draining"}')
        return Reply(200, [heads.JSON], b'{"status":"ready"}')


_SMALL: dict[str, Callable[[PublicDoor, Head], Reply]] = {
    "/v1/models": PublicDoor._models,
    "/healthz": PublicDoor._healthz,
    "/readyz": PublicDoor._readyz,
}


ROUTES = (*(("POST", path) for path in _WAYS), *(("GET", path) for path in _SMALL))
"""All there is at this door, but for what is passed through. ``/healthz`` and ``/readyz`` are for anybody, the others for
callers."""


def _through(head: Head) -> _Way | None:
    """The way of what is passed through."""
    if head.path in _SMALL or not other.asked_for(head.path):
        return None
    return _Way(other.METHODS, "other", None, CODECS[other.flavour(head.headers, head.path)])


def _for_the_books(error: RequestError) -> str:
    """Why a request was refused, without the caller's own words: receipts hold no prompt and no secret."""
    return f"{error.code}: {error.param}" if error.code == "invalid_value" else error.code


def _problem(status: int, message: str, code: str, codec: Codec = chat) -> Reply:
    head = [heads.JSON]
    if status == 401:
        head.append((b"www-authenticate", b"Bearer"))
    return Reply(status, head, codec.problem(status, message, code=code))


def _not_allowed(methods: tuple[str, ...], path: str, codec: Codec = chat) -> Reply:
    allowed = ", ".join(methods)
    reply = _problem(405, f"{path[:200]} takes {allowed} only.", "method_not_allowed", codec)
    reply.headers.append((b"allow", allowed.encode()))
    return reply
