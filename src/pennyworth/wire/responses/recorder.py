"""Records a response while it passes: what it said about itself, how it ended, whether it may be believed.

A response is complete when its terminal event, or its body, says ``status: completed``; neither the end of a body nor
``[DONE]``, which OpenRouter sends after all, proves anything. The terminal event holds the whole response, so what was
streamed before counts only where that is missing, and for the estimate of a reply that broke off.
"""

from __future__ import annotations

from pennyworth.money import Usage
from pennyworth.outcome import Ending, Outcome
from pennyworth.wire import doubts, sse
from pennyworth.wire.chat.usage import reached_out
from pennyworth.wire.responses.body import (
    DELTA,
    FILTERED,
    LENGTH,
    TERMINAL,
    Event,
    Item,
    Part,
    Response,
    read_event,
    read_response,
)
from pennyworth.wire.responses.outputs import called, committing, reaching, texts
from pennyworth.wire.responses.usage import read_usage

_TEXT = b"event: response.output_text.delta\ndata: {"
_DATA = len(_TEXT) - 1
_TEXT_DELTA = "response.output_text.delta"

_PIECES = 1024
_MOST_TEXT = 4 * 2**20
"""Characters of a reply that are kept for an estimate of its tokens: a million tokens, and no model says as much."""

_NULL_LENGTH = len(b"null")


class ResponsesRecorder:
    """Fed events of a stream (``feed_all``) or one whole JSON body (``feed_json``); ``outcome`` says what it was.

    Attributes:
        committed: text, a refusal, reasoning or a tool call has come: what makes a reply a reply.
        done: the stream's terminal event has come.
        fingerprint: always "": this dialect has none.
    """

    __slots__ = (
        "_calls",
        "_error",
        "_fault",
        "_loose",
        "_model",
        "_reason",
        "_refusal",
        "_searched",
        "_status",
        "_texts",
        "_unfinished",
        "_usage",
        "committed",
        "done",
        "fingerprint",
    )

    def __init__(self) -> None:
        self.committed = False
        self.done = False
        self.fingerprint = ""
        self._model = ""
        self._usage: Usage | None = None
        self._status = ""
        self._reason = ""
        self._texts: list[str] = []
        self._calls: dict[int, str] = {}
        self._refusal = False
        self._searched = False
        self._error = False
        self._loose = False
        self._unfinished = False
        self._fault = ""

    def feed_all(self, events: list[bytes]) -> None:
        """Several at once; written for speed, since a stream has little else than pieces of text."""
        if len(self._texts) > _PIECES:
            self._texts = ["".join(self._texts)[:_MOST_TEXT]]
        for event in events:
            if event.startswith(_TEXT) and not self.done and event.find(b"\n", _DATA) == len(event) - 2:
                try:
                    piece = DELTA(event[_DATA:-2])
                except (ValueError, RecursionError):
                    pass
                else:
                    if piece.type == _TEXT_DELTA:
                        if piece.delta:
                            self.committed = True
                            self._texts.append(piece.delta)
                        continue
            self._feed(event)

    def feed_json(self, body: bytes) -> None:
        try:
            response, loosely = read_response(body)
        except (ValueError, RecursionError) as error:
            self._blame(f"malformed reply: {error}")
            return
        self._loose = loosely
        self._see(response)
        self._end(response)

    def feed_rest(self, rest: bytes) -> None:
        """What was left when the body ended: an event without a blank line is none (WHATWG HTML §9.2.6), and the SDKs
        show it to nobody, so what it says does not count, except for the tokens. With one it has only been waiting for
        the second half of a CRLF."""
        if rest.endswith((b"\r\r", b"\n\r")):
            self._feed(rest)
            return
        self._blame(doubts.of_rest(rest))
        told = self._error
        self._feed(rest)
        self._error = told

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
    ) -> Outcome:
        """The record. ``ended``: the provider ended the body itself. ``expected``: a response has one answer only.
        ``request_id``: the provider's.

        A reply that is complete and yet has a ``fault`` may be given to who asked for it, but not kept.
        """
        fault = fault or self._fault
        ending = self._ending(status, ended=ended and not fault)
        if not fault:
            fault = self._doubt(ending, raw, streamed)
        return Outcome(
            ending=ending,
            status=status,
            dialect="responses",
            raw=raw,
            streamed=streamed,
            whole=ended,
            usage=self._usage,
            finishes=(self._finish(),),
            served_by=self._model,
            text="" if self._usage else "".join(self._texts),
            tools=tuple(self._calls.values()),
            server_tools=self._searched,
            refusal=self._refusal,
            fault=fault,
            provider_request_id=request_id,
        )

    def _ending(self, status: int, *, ended: bool) -> Ending:
        if status >= 400 or self._error:
            return "error"
        if not ended:
            return "cut"
        match self._status:
            case "completed":
                return "tools" if self._calls else "complete"
            case "incomplete":
                return "length" if self._reason in LENGTH else "filtered" if self._reason in FILTERED else "error"
            case "" | "queued" | "in_progress":
                return "cut"
        return "error"

    def _finish(self) -> str:
        """The terminal reason in the words of chat completions, which later decisions know; else the provider's."""
        match self._status:
            case "completed":
                return "tool_calls" if self._calls else "stop"
            case "incomplete":
                return "length" if self._reason in LENGTH else self._reason or "incomplete"
            case "" | "queued" | "in_progress":
                return ""
        return self._status

    def _doubt(self, ending: Ending, raw: bytes, streamed: bool) -> str:
        if ending == "cut":
            return f"the response is {self._status}" if self._status else "the reply broke off before it was completed"
        if ending == "error":
            return f"it ended for a reason we do not know: {self._finish()[:40]!r}" if self._status else ""
        if self._unfinished and ending in ("complete", "tools"):
            return "an item of it was not completed"
        return doubts.LOOSE if self._loose else doubts.of_bytes(raw, streamed)

    def _feed(self, event: bytes) -> None:
        kind, data = sse.read(event)
        if not data:
            self._blame(doubts.of_silent(event))
        elif data.startswith(b"[DONE]"):
            pass
        elif self.done:
            self._blame("data after the end")
        else:
            self._read(data)
            if kind == b"error":
                self._err()
                self.done = True

    def _read(self, data: bytes) -> None:
        try:
            event, loosely = read_event(data)
        except (ValueError, RecursionError) as error:
            self._blame(f"malformed reply: {error}")
            return
        self._loose = self._loose or loosely
        self._take(event)

    def _take(self, event: Event) -> None:
        kind = event.type
        if event.error is not None or kind == "error":
            self._err()
        if event.delta and isinstance(event.delta, str) and kind.endswith(".delta"):
            self._say(kind, event.delta)
        if event.item is not None:
            self._see_item(event.output_index, event.item, whole=kind.endswith(".done"))
        if event.annotation is not None:
            self._searched = True
        if event.response is not None:
            self._see(event.response)
        if kind in TERMINAL:
            self.done = True
            self._end_stream(kind, event.response)

    def _say(self, kind: str, text: str) -> None:
        self.committed = True
        if kind.startswith("response.refusal"):
            self._refusal = True
        if "audio" not in kind:
            self._texts.append(text)

    def _end_stream(self, kind: str, response: Response | None) -> None:
        said = response.status if response is not None else None
        if kind != "error" and said != kind.removeprefix("response."):
            self._blame(f"{kind} holds a response of status {str(said)[:40]!r}")
        elif response is not None:
            self._end(response)

    def _end(self, response: Response) -> None:
        self._status = response.status or ""
        self._reason = (response.incomplete_details.reason or "") if response.incomplete_details else ""
        if self._status == "failed":
            self._err()
        streamed = bool(self._texts)
        for place, item in enumerate(response.output or ()):
            self._see_item(place, item, whole=True)
            if not streamed:
                self._texts += texts(item)

    def _see(self, response: Response) -> None:
        if response.model:
            self._model = response.model
        if response.error is not None:
            self._err()
        if len(response.usage) > _NULL_LENGTH:
            raw = bytes(response.usage)
            self._usage = read_usage(raw) or self._usage
            self._searched = self._searched or reached_out(raw)

    def _see_item(self, place: int, item: Item, *, whole: bool) -> None:
        self.committed = self.committed or committing(item, whole=whole)
        if (name := called(item)) is not None:
            self._calls[place] = name or self._calls.get(place, "") or "unnamed"
        elif reaching(item):
            self._searched = True
        if whole and item.status in ("incomplete", "in_progress"):
            self._unfinished = True
        for part in item.content or ():
            self._see_part(part)

    def _see_part(self, part: Part) -> None:
        if part.type == "refusal" or part.refusal:
            self._refusal = True
        if part.annotations:
            self._searched = True

    def _err(self) -> None:
        self._error = True
        self._blame("the provider sent an error")

    def _blame(self, fault: str) -> None:
        self._fault = self._fault or fault
