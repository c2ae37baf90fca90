"""What a dialect is to the rest of the program: the same few functions in each, over bytes and values.

``pennyworth.wire.chat``, ``messages``, ``responses`` and ``embeddings`` are modules that keep to ``Codec``. To add a
dialect: write its package, name it in ``wire.dialects`` and ``request.Dialect``, and hold it to
``tests/wire/codec_contract.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from pennyworth.outcome import Outcome
from pennyworth.plan import Quirks
from pennyworth.request import Caller, Dialect, Edit, Request


class Recorder(Protocol):
    """Records one reply while it passes. Fed whole events of a stream, or one JSON body; then asked what it was.

    - Whatever the bytes are, it raises nothing; what it cannot read counts against the reply (``Outcome.fault``).
    - Any cut of a stream into events' lists gives the same record.
    - A reply is ``complete`` only if it says so itself, by its dialect's own terms: the end of a body proves nothing.
    - ``committed``: content, a refusal, reasoning or a tool call has come. ``done``: the terminal event has come.
    - ``feed_rest``: what was left when the body ended, an event cut short.
    - ``outcome``: ``ended``: the provider ended the body itself. ``expected``: how many choices were asked for.
    """

    committed: bool
    done: bool
    fingerprint: str

    def feed_all(self, events: list[bytes]) -> None: ...

    def feed_json(self, body: bytes) -> None: ...

    def feed_rest(self, rest: bytes) -> None: ...

    def outcome(
        self,
        *,
        status: int,
        raw: bytes,
        streamed: bool,
        ended: bool,
        expected: int,
        fault: str = "",
        request_id: str = "",
    ) -> Outcome: ...


class Codec(Protocol):
    """A dialect.

    - ``PATH``: below a provider's base URL (and below ``/v1`` at our door). ``HEADERS``: without which providers refuse it,
      sent where neither the caller nor the operator says otherwise.
    - ``read_request`` looks only at what decides who is asked, how the reply travels and whether it may be kept, and
      raises ``RequestError`` by the field's name; everything else is the provider's business.
    - ``question``: the text of the last user turn, "" if there is none.
    - ``edits``: what is changed on the way up, outside messages, tools and system; nothing else may change a byte.
    - ``renamed``: the same request to another model.
    - ``as_json``, ``as_events``: a recorded reply in the form asked for; byte for byte where it came in that form.
      ``usage``: the caller wants the usage event, where the dialect leaves him the choice.
    - ``hide_usage``: one event without the usage nobody asked for; ``b""`` if it held nothing else.
    - ``problem``, ``problem_event``: an error as its SDKs read it, as a body or within a stream.
    """

    @property
    def name(self) -> Dialect: ...

    @property
    def PATH(self) -> str: ...  # noqa: N802  a constant of the module

    @property
    def HEADERS(self) -> tuple[tuple[str, str], ...]: ...  # noqa: N802

    def read_request(
        self,
        body: bytes,
        headers: Mapping[str, str],
        caller: Caller,
        *,
        vary: Iterable[str] = (),
        max_depth: int = 128,
    ) -> Request: ...

    def question(self, request: Request) -> str: ...

    def edits(self, request: Request, quirks: Quirks = ...) -> tuple[Edit, ...]: ...

    def renamed(self, request: Request, model: str) -> Request: ...

    def recorder(self) -> Recorder: ...

    def as_json(self, raw: bytes, *, streamed: bool) -> bytes: ...

    def as_events(self, raw: bytes, *, streamed: bool, usage: bool) -> bytes: ...

    def hide_usage(self, event: bytes) -> bytes: ...

    def problem(self, status: int, message: str, *, code: str = "", param: str | None = None) -> bytes: ...

    def problem_event(self, status: int, message: str, *, code: str = "") -> bytes: ...
