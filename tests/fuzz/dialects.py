"""Trials of what reads and says every dialect: recorders, and the translation of streams, of whole replies and of requests.

Whatever comes, nothing is raised but what is meant to be; any cut gives the same; and what its caller would take for a
whole reply is one by its provider's own terms, and says the same.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from typing import Any, NamedTuple

import msgspec

from pennyworth import canonical
from pennyworth.decide.key import LEFT_OUT
from pennyworth.errors import RequestError
from pennyworth.outcome import Outcome
from pennyworth.request import Caller, Dialect, Request
from pennyworth.testing.chat_bytes import DONE, chat_events, chat_json
from pennyworth.testing.responses_bytes import call_item, response_events, response_json
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.neutral.nouns import Part, Prompt, Refusal, Text, Thinking, ToolCall, ToolResult
from pennyworth.wire.speakers import SPEAKERS
from pennyworth.wire.sse import EventSplitter
from pennyworth.wire.translate import (
    CannotSayError,
    StreamTranslator,
    error_as,
    plain_form,
    reply_as_events,
    reply_as_json,
    request_into,
)
from tests.fuzz.law import BrokenLawError, Case, Trial, cut, mutated
from tests.wire.meanings import asked
from tests.wire.recorded import SHIPPED

SPOKEN: tuple[Dialect, ...] = ("chat", "messages", "responses")
_ENDED = (b"data: [DONE]", b"message_stop", b"response.completed", b"response.incomplete")
_LONGEST = 6_000


def _shipped(dialect: Dialect) -> list[dict[str, Any]]:
    lines = SHIPPED.with_name(f"{dialect}.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["status"] == 200]


def _streams(dialect: Dialect) -> list[bytes]:
    found = [row["response_body"].encode() for row in _shipped(dialect) if isinstance(row["response_body"], str)]
    return [raw for raw in found if len(raw) < _LONGEST]


def _bodies(dialect: Dialect) -> list[bytes]:
    found = [
        json.dumps(row["response_body"]).encode() for row in _shipped(dialect) if isinstance(row["response_body"], dict)
    ]
    return [raw for raw in found if len(raw) < _LONGEST]


def _asked(dialect: Dialect) -> list[bytes]:
    found = [json.dumps(row["request_body"]).encode() for row in _shipped(dialect) if row["request_body"]]
    return [raw for raw in found if len(raw) < _LONGEST]


MESSAGE = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1",'
    b'"name":"f","input":{}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",'
    b'"partial_json":"{\\"a\\": 1}"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
    b'"usage":{"output_tokens":7}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
_CALLS = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant",'
    b'"content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":'
    b'[{"index":0,"function":{"arguments":"{\\"a\\": 1}"}}]}}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":'
    b'[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},'
    b'"finish_reason":"tool_calls"}]}\n\n' + DONE
)
_STREAMS: dict[Dialect, list[bytes]] = {
    "chat": [b"".join(chat_events(["Hel", "lo"], usage=(9, 2))), b"".join(chat_events(["a"], finish="length")), _CALLS],
    "messages": [MESSAGE],
    "responses": [b"".join(response_events(["Hel", "lo"]))],
}
_BODIES: dict[Dialect, list[bytes]] = {
    "chat": [chat_json("hello")],
    "messages": [
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hello"}],'
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}'
    ],
    "responses": [response_json(call_item()), *[]],
}
for _dialect in SPOKEN:
    _STREAMS[_dialect] += _streams(_dialect)
    _BODIES[_dialect] += _bodies(_dialect)
_ASKED: dict[Dialect, list[bytes]] = {dialect: _asked(dialect) for dialect in SPOKEN}
_ASKED["chat"] += [
    b'{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}],"max_tokens":9}',
    b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Why?"}]},{"role":"assistant","content":null,'
    b'"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}}]},'
    b'{"role":"tool","tool_call_id":"a","content":"1"},{"role":"user","content":"So?"}],"stop":["x"],"temperature":0.5}',
]
_ASKED["messages"] += [
    b'{"model":"m","max_tokens":9,"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":"Why?"}]}',
    b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":[{"type":"tool_use",'
    b'"id":"a","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},'
    b'{"type":"text","text":"So?"}]}],"stop_sequences":["x"],"temperature":0.5,"metadata":{"user_id":"u"}}',
]
_ASKED["responses"] += [
    b'{"model":"m","input":"Why?","store":false,"instructions":"Be brief.","max_output_tokens":9}',
    b'{"model":"m","store":false,"input":[{"role":"user","content":"Why?"},{"type":"function_call","call_id":"a","name":"f",'
    b'"arguments":"{\\"a\\":1}"},{"type":"function_call_output","call_id":"a","output":"1"},{"role":"user","content":"So?"}],'
    b'"temperature":0.5}',
]

_BITS = (
    b"\n\n", b"\n", b"\r\n\r\n", b"\r", b"data: ", b"data: [DONE]\n\n", b"event: error\n", b"event: ping\n", b": ping\n\n",
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"true", b"-1", b"0", b"9" * 30, b"1e999", b"NaN", b"\\ud800", b"\xc3",
    b'"finish_reason":"stop"', b'"finish_reason":"length"', b'"index":1', b'"index":-1', b'"usage":{}', b'"usage":null',
    b'data: {"error":{"message":"x"}}\n\n', b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n',
    b'"stop_reason":"end_turn"', b'"stop_reason":null', b'"stop_reason":"refusal"', b'"type":"text"', b'"type":"tool_use"',
    b'"type":"thinking"', b'"type":"text_delta"', b'"type":"input_json_delta"', b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n', b'"status":"incomplete"', b'"status":"completed"',
    b'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed","output":[]}}\n\n',
    b'"output":[]', b'"content":[]', b'"content":null', b'"content":""', b'"text":""', b"[" * 200, b'{"error":{}}', b'"choices":[]',
    b'"role":"system"', b'"role":"developer"', b'"role":"tool"', b'"is_error":true', b'"cache_control":{"type":"ephemeral"}',
    b'"store":true', b'"max_tokens":1', b'"temperature":1.0', b'"stop":null', b'"stop":[]', b'"tools":[]', b'"tool_choice":"none"',
    b'"metadata":{}', b'"service_tier":"auto"', b'"a":1,"a":2,', b'"type":"image","source":{"type":"base64","media_type":"a","data":""}',
)  # fmt: skip


class Said(NamedTuple):
    """``text``: what is shown; ``calls``: names and arguments."""

    text: str
    calls: tuple[tuple[str, str], ...]


def _stream(chance: random.Random, dialect: Dialect) -> Case:
    return cut(chance, _changed(chance, chance.choice(_STREAMS[dialect])))


def _changed(chance: random.Random, raw: bytes) -> bytes:
    """Bytes changed; or whole events left out, doubled or exchanged, which a parser does not stumble over."""
    if chance.random() < 0.6:
        return mutated(chance, raw, _BITS)
    events = EventSplitter().feed(raw)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(events)) if events else 0
        match chance.randrange(3):
            case 0:
                del events[at : at + 1]
            case 1:
                events[at:at] = events[at : at + 1]
            case _ if events:
                other = chance.randrange(len(events))
                events[at], events[other] = events[other], events[at]
    return b"".join(events)


def _recorded(dialect: Dialect, case: Case) -> str:
    """As the engine records it. What may be kept can be given in both forms, and ends there as it ended here."""
    raw = b"".join(case)
    outcome = _record(dialect, case)
    if _record(dialect, (raw,)) != outcome:
        raise BrokenLawError("another cut was recorded otherwise", *case)
    if outcome.ending in ("complete", "tools") and not outcome.fault:
        codec = CODECS[dialect]
        body = codec.as_json(raw, streamed=True)
        for again in (
            _record_json(dialect, body),
            _record(dialect, (codec.as_events(body, streamed=False, usage=True),)),
        ):
            if again.ending != outcome.ending or again.tools != outcome.tools:
                raise BrokenLawError(f"given again it ends as {again.ending} ({again.fault})", raw, again.raw)
    return outcome.ending


def _record(dialect: Dialect, pieces: Case) -> Outcome:
    splitter, recorder = EventSplitter(), CODECS[dialect].recorder()
    for piece in pieces:
        recorder.feed_all(splitter.feed(piece))
    if splitter.rest:
        recorder.feed_rest(splitter.rest)
    return recorder.outcome(status=200, raw=b"".join(pieces), streamed=True, ended=True, expected=1)


def _record_json(dialect: Dialect, body: bytes) -> Outcome:
    recorder = CODECS[dialect].recorder()
    recorder.feed_json(body)
    return recorder.outcome(status=200, raw=body, streamed=False, ended=True, expected=1)


def _relayed(origin: Dialect, into: Dialect, case: Case) -> tuple[bytes, Outcome]:
    """As the engine gives it: nothing after the terminal event, and no end that ends nothing."""
    splitter, recorder = EventSplitter(), CODECS[origin].recorder()
    translator, out, over = StreamTranslator(origin, into), [], False
    at_end: Outcome | None = None
    for piece in case:
        for event in splitter.feed(piece):
            recorder.feed_all([event])
            if over:
                continue
            if recorder.done:
                over, at_end = True, _outcome(recorder, case)
                if at_end.ending == "cut":
                    continue
            out.append(translator.feed(event))
    if splitter.rest:
        recorder.feed_rest(splitter.rest)
    outcome = _outcome(recorder, case)
    if outcome.ending != "cut" and outcome.whole:
        out.append(translator.finish())
    return b"".join(out), outcome if at_end is None else at_end


def _outcome(recorder: Any, case: Case) -> Outcome:
    found: Outcome = recorder.outcome(status=200, raw=b"".join(case), streamed=True, ended=True, expected=1)
    return found


def _translated(origin: Dialect, into: Dialect, case: Case) -> str:
    """What looks whole is whole, and what is whole and can be said is said whole."""
    raw = b"".join(case)
    if _plainly_translated(origin, into, case) != _plainly_translated(origin, into, (raw,)):
        raise BrokenLawError("another cut was translated otherwise", *case)
    said, outcome = _relayed(origin, into, case)
    if said and not said.endswith((b"\n\n",)):
        raise BrokenLawError("half an event came out", raw, said)
    there = _record(into, (said,))
    if there.ending in ("complete", "tools") and outcome.ending not in ("complete", "tools"):
        raise BrokenLawError(f"{outcome.ending} ({outcome.fault}) there looks {there.ending}", raw, said)
    if outcome.ending in ("complete", "tools") and not outcome.fault:
        # A call that has no name, or what a recorder need not look at and a translation must.
        lost = there.ending == "error" and (outcome.ending == "tools" or b"could not be read" in said)
        if outcome.finishes[0] not in ("pause_turn", "compaction") and there.ending != outcome.ending and not lost:
            raise BrokenLawError(f"{outcome.ending} has become {there.ending} ({there.fault})", raw, said)
        if there.fault and not lost:
            raise BrokenLawError(f"what is sound has a fault there: {there.fault}", raw, said)
        if not lost and not _record(origin, (raw,)).fault:
            _hold_same(origin, into, raw, said)
    return outcome.ending


def _plainly_translated(origin: Dialect, into: Dialect, pieces: Case) -> bytes:
    translator = StreamTranslator(origin, into)
    return b"".join([translator.feed(piece) for piece in pieces]) + translator.finish()


def _hold_same(origin: Dialect, into: Dialect, raw: bytes, said: bytes) -> None:
    """The last event of a response repeats all of it, which is read elsewhere: its pieces may say something else."""
    if origin == "responses":
        return
    here, there = (_said(one, CODECS[one].as_json(its, streamed=True)) for one, its in ((origin, raw), (into, said)))
    if here is not None and (there is None or here.text != there.text):
        raise BrokenLawError(f"{here} has become {there}", raw, said)


def _said(dialect: Dialect, body: bytes) -> Said | None:
    completion = SPEAKERS[dialect].completion_of(json.loads(body))
    if completion is None or len(completion.answers) != 1:
        return None
    parts = [part for turn in completion.answers[0].turns for part in turn.parts]
    calls = tuple([(part.name, _arguments(part)) for part in parts if isinstance(part, ToolCall)])
    return Said("".join([part.text for part in parts if isinstance(part, Text | Refusal)]), calls)


def _arguments(call: ToolCall) -> str:
    """However they are spelt."""
    said = call.arguments
    try:
        return json.dumps(json.loads(said or "{}") if isinstance(said, str) else said, default=float)
    except ValueError:
        return str(said)


def _body(chance: random.Random, dialect: Dialect) -> Case:
    return (_rewritten(chance, chance.choice(_BODIES[dialect])),)


def _rewritten(chance: random.Random, raw: bytes) -> bytes:
    """Bytes changed; or values somewhere within, so that it is JSON still."""
    if chance.random() < 0.3:
        return mutated(chance, raw, _BITS)
    tree = json.loads(raw)
    for _ in range(chance.choice((1, 1, 2, 3))):
        _change(chance, tree)
    return json.dumps(tree).encode()


def _change(chance: random.Random, tree: Any) -> None:
    """Some value: another, gone, twice, or one more beside it."""
    if not (holders := [one for one in _holders(tree) if one]):
        return
    holder = chance.choice(holders)
    if isinstance(holder, list):
        at = chance.randrange(len(holder))
        match chance.randrange(4):
            case 0:
                holder[at] = _value(chance)
            case 1:
                del holder[at]
            case 2:
                holder.insert(at, json.loads(json.dumps(holder[at])))
            case _:
                holder.insert(at, _value(chance))
        return
    name = chance.choice(list(holder))
    match chance.randrange(4):
        case 0 | 1:
            holder[name] = _value(chance)
        case 2:
            del holder[name]
        case _:
            holder[chance.choice(_NAMES)] = _value(chance)


def _holders(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from _holders(one)


def _value(chance: random.Random) -> Any:
    return json.loads(json.dumps(chance.choice(_VALUES)))


_NAMES = (
    "content", "role", "type", "text", "tool_calls", "tools", "tool_choice", "stop", "stop_sequences", "max_tokens", "store",
    "max_completion_tokens", "temperature", "metadata", "user", "system", "instructions", "strict", "is_error", "n", "index",
    "parallel_tool_calls", "cache_control", "service_tier", "output_config", "thinking", "reasoning", "refusal", "usage", "id",
    "finish_reason", "stop_reason", "stop_sequence", "status", "arguments", "input", "phase", "name", "response_format",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 1.0, 2**53, "", "x", "user", "assistant", "system", "developer", "tool", "stop", "length",
    "tool_calls", "tool_use", "end_turn", "stop_sequence", "max_tokens", "refusal", "completed", "incomplete", "auto", "none", "any",
    "required", "text", "{}", "{\"a\": 1}", "[1]", "e\u0301", [], {}, [""], ["x"], [{}], {"type": "text", "text": ""},
    {"type": "text", "text": "y"}, [{"type": "text", "text": "y"}], {"type": "ephemeral"}, {"type": "auto"}, {"type": "any"},
    {"type": "none"}, {"type": "tool", "name": "f"}, {"user_id": "u"}, {"role": "user", "content": "z"},
    {"role": "assistant", "content": ""}, {"role": "system", "content": "s"}, {"type": "thinking", "thinking": "t", "signature": ""},
    {"type": "refusal", "refusal": "no"}, {"type": "image", "source": {"type": "url", "url": "https://a/b"}}, {"effort": "low"},
)  # fmt: skip


def _whole(origin: Dialect, into: Dialect, case: Case) -> str:
    """A whole reply is said in another dialect, or that it cannot be; never as whole where it was not."""
    (raw,) = case
    error_as(raw, 400, into)
    outcome = _record_json(origin, raw)
    try:
        body = reply_as_json(raw, streamed=False, origin=origin, into=into)
        events = reply_as_events(raw, streamed=False, origin=origin, into=into, usage=True)
    except CannotSayError:
        return "cannot be said"
    if outcome.ending == "cut":
        return "cut, and not given in another dialect"
    for there in (_record_json(into, body), _record(into, (events,))):
        if (
            there.ending in ("complete", "tools")
            and outcome.ending not in ("complete", "tools")
            and not outcome.finishes[0]
        ):
            raise BrokenLawError(f"{outcome.ending} ({outcome.fault}) there looks {there.ending}", raw, there.raw)
        sound = outcome.ending in ("complete", "tools") and not outcome.fault and not outcome.refusal
        if sound and there.ending != outcome.ending:
            raise BrokenLawError(f"{outcome.ending} has become {there.ending} ({there.fault})", raw, there.raw)
    if outcome.ending in ("complete", "tools") and not outcome.refusal and _said(origin, raw) != _said(into, body):
        raise BrokenLawError(f"{_said(origin, raw)} has become {_said(into, body)}", raw, body)
    return outcome.ending


def _request(chance: random.Random, dialect: Dialect) -> Case:
    return (_rewritten(chance, chance.choice(_ASKED[dialect])),)


_CALLER = Caller("fuzz")


def _read(dialect: Dialect, raw: bytes) -> Request:
    return CODECS[dialect].read_request(raw, {}, _CALLER)


def _form(request: Request) -> bytes | None:
    plain = plain_form(request)
    try:
        return plain and canonical.encode({name: value for name, value in plain.items() if name not in LEFT_OUT})
    except (ValueError, RecursionError):
        return None


def _requested(dialect: Dialect, case: Case) -> str:
    """A request is refused in words, or read; then its plain form is that of its translation, and of its own plain form."""
    (raw,) = case
    try:
        request = _read(dialect, raw)
    except RequestError:
        return "refused"
    form = None if request.unkeyed else _form(request)
    if form is not None:
        plain = _read("chat", form)
        if _form(plain) != form:
            raise BrokenLawError("its plain form has another plain form", raw, form)
        if _meant(plain) != _meant(request):
            raise BrokenLawError("its plain form means something else", raw, form)
    return " and ".join([_carried(request, into, raw) for into in SPOKEN if into != dialect])


def _carried(request: Request, into: Dialect, raw: bytes) -> str:
    try:
        there, dropped = request_into(request, into)
    except RequestError:
        return "cannot be said"
    if dropped:
        raise BrokenLawError("something was dropped that nobody allowed", raw)
    if not request.unkeyed and json.loads(there.body) != there.fields:
        raise BrokenLawError("what is sent is not what it says", raw, there.body)
    if _meant(there) != _meant(request):
        raise BrokenLawError(f"{_meant(request)} has become {_meant(there)}", raw, there.body)
    return "said"


def _meant(request: Request) -> tuple[Prompt, list[tuple[str, Part]]]:
    """What it asks: without what is the same to everybody (how the reply travels, for whom), and what is said in turn."""
    prompt = asked(request)
    said = [(turn.role, _bare(part)) for turn in prompt.turns for part in sorted(turn.parts, key=_place)]
    bare = msgspec.structs.replace(prompt, stream=False, user=None, turns=())
    return bare, [one for one in said if one[1] != Thinking()]


def _place(part: Part) -> bool:
    """What tools gave stands before what is said with it, or Anthropic refuses it."""
    return part.__class__ is not ToolResult


def _bare(part: Part) -> Part:
    """A thought that nobody signed is but a text."""
    if isinstance(part, Thinking) and not part.signature and part.sealed is None:
        return Thinking(text=part.text)
    return part


def _of(make: Callable[[random.Random, Dialect], Case], check: Callable[..., str], *dialects: Dialect) -> Trial:
    return Trial(partial(_made, make, dialects[0]), partial(check, *dialects))


def _made(make: Callable[[random.Random, Dialect], Case], dialect: Dialect, chance: random.Random) -> Case:
    return make(chance, dialect)


RECORDERS = {f"{dialect} recorder": _of(_stream, _recorded, dialect) for dialect in ("messages", "responses")}
STREAMS = {f"{one} stream in {other}": _of(_stream, _translated, one, other) for one, other in permutations(SPOKEN, 2)}
REPLIES = {f"{one} reply in {other}": _of(_body, _whole, one, other) for one, other in permutations(SPOKEN, 2)}
REQUESTS = {f"{dialect} request": _of(_request, _requested, dialect) for dialect in SPOKEN}
