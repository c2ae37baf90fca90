"""Records a chat reply while it passes: what it said about itself, how it ended, whether it may be believed.

``[DONE]`` proves nothing: a reply is complete when every choice has given a terminal reason, no error came, and the
body was ended by the provider. Malformed events pass on to the caller but the reply is never complete. A stream that
ends properly without ``[DONE]`` is whole if its choices are: llama-box, older TGI and others send none.
"""

from __future__ import annotations

import msgspec

from pennyworth.money import Usage
from pennyworth.outcome import Ending, Outcome
from pennyworth.wire import doubts, sse
from pennyworth.wire.chat.body import (
    DECODE,
    ENDINGS,
    PIECE,
    WORST_FIRST,
    Body,
    Choice,
    Function,
    Message,
    read_body,
)
from pennyworth.wire.chat.usage import reached_out, read_usage

_TRIES = 5
"""So many events that are no mere pieces of text are expected in a stream (its beginning and its ends); where there are
more, this provider's pieces are of another shape, and are not tried as such any more."""

_PIECES = 1024
_MOST_TEXT = 4 * 2**20
"""Characters of a reply that are kept for an estimate of its tokens: a million tokens, and no model says as much."""

_NULL_LENGTH = len(b"null")


class ChatRecorder:
    """Fed events of a stream (``feed``, ``feed_all``) or one whole JSON body (``feed_json``); ``outcome`` says what it was.

    Attributes:
        committed: content, a refusal, reasoning or a tool call has come: what makes a reply a reply.
        done: the stream's terminal event has come.
    """

    __slots__ = (
        "_calls",
        "_choices",
        "_error",
        "_fault",
        "_finishes",
        "_loose",
        "_model",
        "_refusal",
        "_searched",
        "_texts",
        "_tries",
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
        self._choices = 0
        self._finishes: dict[int, str] = {}
        self._texts: list[str] = []
        self._calls: dict[tuple[int, int], str] = {}
        self._refusal = False
        self._searched = False
        self._error = False
        self._loose = False
        self._fault = ""
        self._tries = _TRIES

    def feed_all(self, events: list[bytes]) -> None:
        """Several at once; written for speed, since a stream has little else than pieces of text."""
        if len(self._texts) > _PIECES:
            self._texts = ["".join(self._texts)[:_MOST_TEXT]]
        for event in events:
            if self._tries and not self.done and event.startswith(b"data: {") and event.find(b"\n") == len(event) - 2:
                try:
                    piece = PIECE(event[6:-2])
                except (ValueError, RecursionError):
                    self._tries -= 1
                else:
                    choice = piece.choices[0]
                    if piece.model:
                        self._model = piece.model
                    if piece.system_fingerprint:
                        self.fingerprint = piece.system_fingerprint
                    if choice.index >= self._choices:
                        self._choices = choice.index + 1
                    if choice.delta.content:
                        self.committed = True
                        self._texts.append(choice.delta.content)
                    continue
            self.feed(event)

    def feed(self, event: bytes) -> None:
        # One line of JSON and a blank one, nearly always; of a stray CR ``outcome`` takes note.
        if event.startswith(b"data: {") and event.find(b"\n") == len(event) - 2 and not self.done:
            try:
                return self._take(DECODE(event[6:-2]))
            except (ValueError, RecursionError):
                pass
        kind, data = sse.read(event)
        if not data:
            self._blame(doubts.of_silent(event))
        elif self.done:
            self._blame("data after [DONE]")
        elif data.startswith(b"[DONE]"):
            self.done = True
        else:
            self._read(data)
            if kind == b"error":
                self._err()
        return None

    def feed_json(self, body: bytes) -> None:
        self._read(body)

    def feed_rest(self, rest: bytes) -> None:
        """What was left when the body ended: ``[DONE]`` without its blank line, or an event cut short.

        An event without a blank line is none (WHATWG HTML §9.2.6), and the official SDKs do not show it to anybody, so
        what it says does not count, except for the tokens. Not even an error: nobody has been told of it.
        """
        self._blame(doubts.of_rest(rest))
        told = self._error
        self.feed(rest)
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
        """The record. ``ended``: the provider ended the body itself. ``expected``: how many choices were asked for.
        ``request_id``: the provider's.

        A reply that is complete and yet has a ``fault`` may be given to who asked for it, but not kept.
        """
        fault = fault or self._fault
        ending = self._ending(status, ended=ended and not fault, expected=expected)
        if not fault:
            fault = self._doubt(ending, raw, streamed)
        return Outcome(
            ending=ending,
            status=status,
            raw=raw,
            streamed=streamed,
            whole=ended,
            usage=self._usage,
            finishes=tuple([self._finishes.get(i, "") for i in range(max(self._choices, expected))]),
            served_by=self._model,
            fingerprint=self.fingerprint,
            text="" if self._usage else "".join(self._texts),
            tools=tuple([name or "unnamed" for name in self._calls.values()]) if self._calls else (),
            server_tools=self._searched,
            refusal=self._refusal,
            fault=fault,
            provider_request_id=request_id,
        )

    def _ending(self, status: int, *, ended: bool, expected: int) -> Ending:
        if status >= 400 or self._error:
            return "error"
        if not ended or len(self._finishes) < max(self._choices, expected, 1):
            return "cut"
        endings = [_ending_of(reason) for reason in self._finishes.values()]
        worst: Ending = endings[0]
        if len(endings) > 1:
            worst = next((worst for worst in WORST_FIRST if worst in endings), "complete")
        # OpenAI ends a call forced by ``tool_choice`` with "stop".
        return "tools" if self._calls and worst == "complete" else worst

    def _doubt(self, ending: Ending, raw: bytes, streamed: bool) -> str:
        if ending == "cut":
            return "the reply broke off before every choice had ended" if self._choices else "the reply has no choices"
        if ending == "error":
            unknown = [reason for reason in self._finishes.values() if _ending_of(reason) == "error"]
            return f"it ended for a reason we do not know: {unknown[0][:40]!r}" if unknown else ""
        return doubts.LOOSE if self._loose else doubts.of_bytes(raw, streamed)

    def _read(self, data: bytes) -> None:
        try:
            body, loosely = read_body(data)
        except (ValueError, RecursionError) as error:
            self._blame(f"malformed reply: {error}")
            return
        self._loose = self._loose or loosely
        self._take(body)

    def _take(self, body: Body) -> None:
        if body.model:
            self._model = body.model
        if body.system_fingerprint:
            self.fingerprint = body.system_fingerprint
        if body.error is not None:
            self._err()
        if len(body.usage) > _NULL_LENGTH:
            self._count(body.usage)
        if body.x_groq is not None or body.citations or body.search_results or body.web_search:
            self._see_extras(body)
        for choice in body.choices or ():
            self._see(choice)

    def _count(self, usage: msgspec.Raw) -> None:
        raw = bytes(usage)
        self._usage = read_usage(raw) or self._usage
        self._searched = self._searched or reached_out(raw)

    def _see_extras(self, body: Body) -> None:
        groq = body.x_groq
        if groq is not None and len(groq.usage) > _NULL_LENGTH and self._usage is None:
            self._count(groq.usage)
        if groq is not None and groq.error is not None:
            self._err()
        if body.citations or body.search_results or body.web_search:
            self._searched = True

    def _see(self, choice: Choice) -> None:
        index = choice.index
        if index >= self._choices:
            self._choices = index + 1
        reason = choice.finish_reason
        # A good end does not take back a bad one that was given before it.
        if reason and (index not in self._finishes or _ending_of(self._finishes[index]) == "complete"):
            self._finishes[index] = reason
        message = choice.delta or choice.message
        if message is None:
            return
        if message.content:
            self._say(message.content)
        if message.reasoning or message.reasoning_content:
            self._say(message.reasoning or message.reasoning_content)
        if message.refusal:
            self._refusal = True
            self._say(message.refusal)
        if message.tool_calls or message.function_call:
            self._see_calls(index, message)
        if message.audio:
            self.committed = True
        if message.annotations or message.executed_tools or message.context or message.citations:
            self._searched = True

    def _say(self, content: object) -> None:
        self.committed = True
        self._texts.append(content if isinstance(content, str) else _text(content))

    def _see_calls(self, choice: int, message: Message) -> None:
        self.committed = True
        for place, call in enumerate(message.tool_calls or ()):
            self._see_call((choice, place if call.index is None else call.index), call.function or call.custom)
        if message.function_call:
            self._see_call((choice, -1), message.function_call)

    def _see_call(self, place: tuple[int, int], function: Function | None) -> None:
        known = self._calls.get(place, "")
        self._calls[place] = known or (function.name if function and function.name else "")
        if function and isinstance(function.arguments, str):
            self._texts.append(function.arguments)

    def _err(self) -> None:
        self._error = True
        self._blame("the provider sent an error")

    def _blame(self, fault: str) -> None:
        self._fault = self._fault or fault


def _ending_of(reason: str) -> Ending:
    return ENDINGS.get(reason) or ENDINGS.get(reason.lower(), "error")


def _text(content: object) -> str:
    """The text of a content field: a string, or a list of parts (Mistral's thinking models)."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text") or part.get("thinking")) for part in content if isinstance(part, dict))
    return ""
