"""Records a Messages reply while it passes: what it said about itself, how it ended, whether it may be believed.

A stream is complete when it has begun, every block that was opened has been closed, a stop reason has come and
``message_stop`` after it, and the provider ended the body. Malformed events pass on to the caller but the reply is never
complete. What was not understood, or an SDK would pass over, is given to the caller but never kept.
"""

from __future__ import annotations

import msgspec

from pennyworth.money import Usage
from pennyworth.outcome import Ending, Outcome
from pennyworth.wire import doubts, sse
from pennyworth.wire.messages.body import (
    ENDINGS,
    LOCAL_BLOCKS,
    OTHER_DELTAS,
    PIECE,
    PIECES,
    PIECES_OF,
    Block,
    Delta,
    Event,
    Message,
    read_event,
    read_message,
)
from pennyworth.wire.messages.usage import Counts, merged, read_counts

_HEAD = b"event: content_block_delta\ndata: {"
_DATA = len(_HEAD) - 1
_PIECES = 1024
_MOST_TEXT = 4 * 2**20
"""As for chat: characters of a reply that are kept for an estimate of its tokens."""

_NULL_LENGTH = len(b"null")
_WHOLE = type(None)
"""Stands for the pieces of an open block that comes whole."""


class MessagesRecorder:
    """As ``wire.codec.Recorder`` has it."""

    __slots__ = (
        "_began",
        "_blocks",
        "_counts",
        "_error",
        "_fault",
        "_finish",
        "_loose",
        "_metered",
        "_model",
        "_odd",
        "_open",
        "_reached",
        "_stopped",
        "_texts",
        "_tools",
        "committed",
        "done",
        "fingerprint",
    )

    def __init__(self) -> None:
        self.committed = False
        self.done = False
        self.fingerprint = ""
        self._model = ""
        self._finish = ""
        self._counts: Counts | None = None
        self._metered = False
        self._blocks = 0
        self._open: dict[int, type] = {}
        self._texts: list[str] = []
        self._tools: list[str] = []
        self._began = False
        self._stopped = False
        self._reached = False
        self._error = False
        self._loose = False
        self._odd = ""
        self._fault = ""

    def feed_all(self, events: list[bytes]) -> None:
        """Several at once; written for speed, since a stream has little else than pieces of text."""
        if len(self._texts) > _PIECES:
            self._texts = ["".join(self._texts)[:_MOST_TEXT]]
        open_blocks, say = self._open, self._texts.append
        for event in events:
            if event.startswith(_HEAD) and event.find(b"\n", _DATA) == len(event) - 2:
                try:
                    piece = PIECE(event[_DATA:-2])
                except (ValueError, RecursionError):
                    pass
                else:
                    delta = piece.delta
                    if open_blocks.get(piece.index) is delta.__class__:
                        if delta.text:
                            self.committed = True
                            say(delta.text)
                        continue
            self.feed(event)

    def feed(self, event: bytes) -> None:
        kind, data = sse.read(event)
        if not data:
            self._blame(doubts.of_silent(event))
        elif data.startswith(b"[DONE]"):
            pass  # some hosts that serve both dialects send OpenAI's end as well
        elif self.done:
            if kind != b"ping":
                self._blame("data after message_stop")
        else:
            self._read(kind.decode("latin-1"), data)

    def feed_json(self, body: bytes) -> None:
        try:
            message, loosely = read_message(body)
        except (ValueError, RecursionError) as error:
            return self._blame(f"malformed reply: {error}")
        self._loose = loosely
        if message.type == "error" or message.error is not None:
            return self._err()
        if message.content is None:
            return self._blame("the reply has no content")
        self._begin(message)
        for block in message.content:
            self._see_block(block)
        self._metered = self._stopped = True
        return None

    def feed_rest(self, rest: bytes) -> None:
        """What was left when the body ended: an event cut short, which is none (WHATWG HTML §9.2.6) and does not count,
        except for the tokens. Not even an error: nobody has been told of it. One that ends with a mere CR is whole: it was
        only held back because a LF might have followed."""
        if rest.endswith((b"\r\r", b"\n\r")):
            return self.feed(rest)
        if sse.data_of(rest):
            self._blame("the last event is not whole")
        elif not sse.is_plain(rest):
            self._blame("trailing bytes that are no event")
        told = self._error
        self.feed(rest)
        self._error = told
        return None

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
        """The record. A reply that is complete and yet has a ``fault`` may be given to who asked for it, but not kept."""
        fault = fault or self._fault
        ending = self._ending(status, ended=ended and not fault)
        if not fault:
            fault = self._doubt(ending, raw, streamed)
        usage = self._usage()
        return Outcome(
            ending=ending,
            status=status,
            dialect="messages",
            raw=raw,
            streamed=streamed,
            whole=ended,
            usage=usage,
            finishes=(self._finish,),
            served_by=self._model,
            text="" if usage and self._metered else "".join(self._texts),
            tools=tuple(self._tools),
            server_tools=self._reached or (self._counts is not None and self._counts.served),
            refusal=self._finish == "refusal",
            fault=fault,
            provider_request_id=request_id,
        )

    def _ending(self, status: int, *, ended: bool) -> Ending:
        if status >= 400 or self._error:
            return "error"
        if not (ended and self._stopped and self._finish):
            return "cut"
        ending = ENDINGS.get(self._finish, "error")
        return "tools" if self._tools and ending == "complete" else ending

    def _usage(self) -> Usage | None:
        """Only the end of a stream says how much was generated: until then the count is of the prompt alone."""
        usage = self._counts.usage() if self._counts else None
        return usage if self._metered or usage is None else msgspec.structs.replace(usage, output=0, reasoning=0)

    def _doubt(self, ending: Ending, raw: bytes, streamed: bool) -> str:
        if ending == "cut":
            return "the reply broke off before its end" if self._began else "the reply never began"
        if ending == "error":
            known = not self._finish or self._finish in ENDINGS
            return "" if known else f"it ended for a reason we do not know: {self._finish[:40]!r}"
        if self._loose:
            return doubts.LOOSE
        return self._odd or doubts.of_bytes(raw, streamed)

    def _read(self, kind: str, data: bytes) -> None:
        try:
            event, loosely = read_event(data)
        except (ValueError, RecursionError) as error:
            self._blame(f"malformed event: {error}")
            return
        self._loose = self._loose or loosely
        if kind == "error" or event.error is not None:
            self._err()
        elif kind != event.type and event.type != "ping":
            self._doubt_it(f"an event's name is {kind[:40]!r}, its type {event.type[:40]!r}: SDKs go by the name")
        self._take(event)

    def _take(self, event: Event) -> None:
        match event.type:
            case "content_block_delta":
                self._see_delta(event.index, event.delta or Delta())
            case "content_block_start":
                self._open_block(event.index, event.content_block or Block())
            case "content_block_stop":
                if self._open.pop(event.index, None) is None:
                    self._blame("a block ended that was not open")
            case "message_start":
                if self._began:
                    self._blame("a second reply began within the first")
                self._begin(event.message or Message())
            case "message_delta":
                self._see_end(event)
            case "message_stop":
                self._stop()
            case "ping" | "error":
                pass
            case other:
                self._doubt_it(f"an event of a kind we do not know: {other[:40]!r}")

    def _begin(self, message: Message) -> None:
        self._began = True
        self._model = message.model or ""
        self._finish = message.stop_reason or ""
        self._reached = self._reached or message.container is not None
        self._count(message.usage)

    def _open_block(self, index: int, block: Block) -> None:
        if index != self._blocks:
            self._blame(f"block {index} came where block {self._blocks} was due")
        self._blocks += 1
        self._open[index] = PIECES.get(block.type, _WHOLE)
        self._see_block(block)

    def _see_block(self, block: Block) -> None:
        if block.type not in LOCAL_BLOCKS:
            self._reached = True
        if block.type == "tool_use":
            self._tools.append(block.name or "unnamed")
        text = block.text or block.thinking
        if text or block.type not in ("text", "thinking"):
            self.committed = True
        if text:
            self._texts.append(text)
        if block.input:
            self._texts.append(str(block.input))
        for citation in block.citations if isinstance(block.citations, list) else ():
            self._see_citation(citation)

    def _see_delta(self, index: int, delta: Delta) -> None:
        due = self._open.get(index)
        if due is None:
            return self._blame("a piece of a block that was not open")
        if delta.type in OTHER_DELTAS:
            self.committed = True
            return self._see_citation(delta.citation)
        text = {"text_delta": delta.text, "input_json_delta": delta.partial_json, "thinking_delta": delta.thinking}
        if delta.type not in text:
            return self._doubt_it(f"a piece of a kind we do not know: {delta.type[:40]!r}")
        piece = text[delta.type]
        if piece is None:
            return self._blame("a piece without a text")
        if PIECES_OF.get(delta.type) is not due:
            self._doubt_it("a piece that does not belong to its block")
        if piece:
            self.committed = True
            self._texts.append(piece)
        return None

    def _see_citation(self, citation: object) -> None:
        """Sources within the request are no search: documents, search results that the caller handed in."""
        if isinstance(citation, dict) and citation.get("type") == "web_search_result_location":
            self._reached = True

    def _see_end(self, event: Event) -> None:
        delta = event.delta or Delta()
        # A good end does not take back a bad one that was given before it.
        if delta.stop_reason and (not self._finish or ENDINGS.get(self._finish) == "complete"):
            self._finish = delta.stop_reason
        self._reached = self._reached or delta.container is not None
        self._metered = self._count(event.usage) or self._metered

    def _stop(self) -> None:
        if self._open:
            self._blame("a block was never closed")
        if not self._began:
            self._blame("a reply ended that never began")
        self.done = self._stopped = True

    def _count(self, raw: msgspec.Raw) -> bool:
        """Whether it says how much was generated."""
        counts = read_counts(bytes(raw)) if len(raw) > _NULL_LENGTH else None
        if counts is None:
            return False
        self._counts = merged(self._counts, counts)
        return counts.output_tokens is not None

    def _err(self) -> None:
        self._error = True
        self._blame("the provider sent an error")

    def _blame(self, fault: str) -> None:
        self._fault = self._fault or fault

    def _doubt_it(self, reason: str) -> None:
        self._odd = self._odd or reason
