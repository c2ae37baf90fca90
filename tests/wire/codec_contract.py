"""What every dialect keeps to (``wire.codec``), whatever its format. A dialect's own test is a subclass with examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennyworth.outcome import Outcome
from pennyworth.request import Caller, Request
from pennyworth.wire.codec import Codec
from pennyworth.wire.sse import EventSplitter

GOOD = ("complete", "tools")
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)

_a_law = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow]
)


class Recorded(NamedTuple):
    """A record, and what the recorder said of it meanwhile."""

    outcome: Outcome
    committed: bool
    done: bool


def record(codec: Codec, raw: bytes, cuts: Iterable[int] = (), *, ended: bool = True, status: int = 200) -> Recorded:
    """A stream recorded as the engine does it, arriving in pieces."""
    splitter, recorder, start = EventSplitter(), codec.recorder(), 0
    for cut in [*sorted(cuts), len(raw)]:
        recorder.feed_all(splitter.feed(raw[start:cut]))
        start = max(cut, start)
    if ended and splitter.rest:
        recorder.feed_rest(splitter.rest)
    outcome = recorder.outcome(status=status, raw=raw, streamed=True, ended=ended, expected=1)
    return Recorded(outcome, recorder.committed, recorder.done)


def record_json(codec: Codec, raw: bytes, *, ended: bool = True, status: int = 200) -> Recorded:
    recorder = codec.recorder()
    if status == 200:
        recorder.feed_json(raw)
    outcome = recorder.outcome(status=status, raw=raw, streamed=False, ended=ended, expected=1)
    return Recorded(outcome, recorder.committed, recorder.done)


def what_counts(outcome: Outcome) -> tuple[object, ...]:
    """All that later decisions ask of a reply, whichever form it came in."""
    o = outcome
    return o.dialect, o.ending, o.finishes, o.usage, o.tools, o.server_tools, o.refusal, o.served_by, o.fault


class CodecContract:
    """Subclass it as ``Test…`` and say what is special:

    Attributes:
        codec: the dialect. ``ask``: a question in it.
    """

    codec: Codec
    ask: dict[str, Any]

    def bodies(self) -> st.SearchStrategy[dict[str, Any]]:
        """Whole replies, as JSON, that are worth keeping."""
        raise NotImplementedError

    def streams(self) -> st.SearchStrategy[bytes]:
        """The same as streams, cut into events as finely as the provider does."""
        raise NotImplementedError

    def same(self, body: dict[str, Any]) -> Any:
        """What of a body must come through a change of form: all of it, but for what this dialect fills in."""
        return body

    def sure_from(self, stream: bytes) -> int:
        """So many bytes of a stream are a whole reply, if the provider ends it there."""
        return len(stream)

    def raised(self, status: int, body: bytes, *, streamed: bool = False) -> Exception:
        """What the official SDK raises on this reply."""
        raise NotImplementedError

    @_a_law
    @given(st.data())
    def test_any_cut_of_a_stream_gives_the_same_record(self, data: st.DataObject) -> None:
        raw = data.draw(self.streams())
        cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=12))
        assert record(self.codec, raw, cuts) == record(self.codec, raw)
        assert record(self.codec, raw, range(len(raw))) == record(self.codec, raw)

    @_a_law
    @given(st.data())
    def test_a_whole_reply_is_good_without_a_doubt(self, data: st.DataObject) -> None:
        raw = data.draw(self.streams())
        body = json.dumps(data.draw(self.bodies())).encode()
        for outcome, committed, _ in (record(self.codec, raw), record_json(self.codec, body)):
            assert outcome.ending in GOOD
            assert outcome.fault == ""
            assert outcome.dialect == self.codec.name
            assert outcome.usage
            assert committed

    @settings(parent=_a_law, max_examples=8)
    @given(st.data())
    def test_cut_at_any_byte_it_is_never_complete(self, data: st.DataObject) -> None:
        raw = data.draw(self.streams())
        body = json.dumps(data.draw(self.bodies())).encode()
        sure = self.sure_from(raw)
        for cut in range(len(raw)):
            assert record(self.codec, raw[:cut], ended=False).outcome.ending not in GOOD
            if cut < sure:
                assert record(self.codec, raw[:cut]).outcome.ending not in GOOD, raw[:cut]
        assert record(self.codec, raw, ended=False).outcome.ending not in GOOD
        for cut in range(len(body)):
            assert record_json(self.codec, body[:cut]).outcome.ending not in GOOD

    @_a_law
    @given(st.data())
    def test_with_a_torn_event_it_is_never_complete(self, data: st.DataObject) -> None:
        events = EventSplitter().feed(data.draw(self.streams()))
        torn = data.draw(st.integers(0, len(events) - 1))
        if b"[DONE]" not in events[torn]:
            whole = events[torn].rstrip()
            events[torn] = whole[: len(whole) - data.draw(st.integers(1, 4))] + b"\n\n"
            assert record(self.codec, b"".join(events)).outcome.ending not in GOOD

    @_a_law
    @given(st.data())
    def test_from_json_to_events_and_back_nothing_is_lost(self, data: st.DataObject) -> None:
        body = data.draw(self.bodies())
        events = self.codec.as_events(json.dumps(body).encode(), streamed=False, usage=True)
        assert self.same(json.loads(self.codec.as_json(events, streamed=True))) == self.same(body)

    @_a_law
    @given(st.data())
    def test_from_events_to_json_to_events_to_json_nothing_is_lost(self, data: st.DataObject) -> None:
        body = self.codec.as_json(data.draw(self.streams()), streamed=True)
        events = self.codec.as_events(body, streamed=False, usage=True)
        assert json.loads(self.codec.as_json(events, streamed=True)) == json.loads(body)

    @_a_law
    @given(st.data())
    def test_in_the_other_form_it_is_recorded_as_the_same_reply(self, data: st.DataObject) -> None:
        raw, body = data.draw(self.streams()), json.dumps(data.draw(self.bodies())).encode()
        again = record_json(self.codec, self.codec.as_json(raw, streamed=True))
        assert what_counts(again.outcome) == what_counts(record(self.codec, raw).outcome)
        streamed = record(self.codec, self.codec.as_events(body, streamed=False, usage=True))
        assert what_counts(streamed.outcome) == what_counts(record_json(self.codec, body).outcome)
        assert streamed.done

    @_a_law
    @given(st.data())
    def test_in_the_form_it_came_in_it_is_given_byte_for_byte(self, data: st.DataObject) -> None:
        raw, body = data.draw(self.streams()), json.dumps(data.draw(self.bodies())).encode()
        assert self.codec.as_events(raw, streamed=True, usage=True) == raw
        assert self.codec.as_json(body, streamed=False) == body

    @_a_law
    @given(st.data())
    def test_whatever_the_bytes_are_nothing_is_raised(self, data: st.DataObject) -> None:
        events = EventSplitter().feed(data.draw(self.streams()))
        odd = st.one_of(st.binary(max_size=20), st.sampled_from(events), st.sampled_from(_ODD))
        raw = b"".join(data.draw(st.lists(odd, max_size=8)))
        record(self.codec, raw)
        record(self.codec, raw, ended=False)
        record_json(self.codec, raw)
        self.codec.as_json(raw, streamed=True)

    @_a_law
    @given(st.data())
    def test_a_reply_that_strict_json_cannot_hold_is_never_without_a_doubt(self, data: st.DataObject) -> None:
        raw, body = data.draw(self.streams()), json.dumps(data.draw(self.bodies())).encode()
        for bad in (b"\xff", b"\xed\xa0\x80", b"\xc3"):
            assert record(self.codec, _MODEL.sub(rb"\g<0>" + bad, raw)).outcome.fault
            assert record_json(self.codec, _MODEL.sub(rb"\g<0>" + bad, body)).outcome.fault

    def test_an_error_reply_is_an_error(self) -> None:
        body = self.codec.problem(529, "busy")
        assert record_json(self.codec, body, status=529).outcome.ending == "error"
        assert record_json(self.codec, body).outcome.ending == "error"

    @_a_law
    @given(st.data())
    def test_an_error_within_a_stream_is_an_error(self, data: st.DataObject) -> None:
        events = EventSplitter().feed(data.draw(self.streams()))
        at = data.draw(st.integers(0, len(events) - 1))
        found = record(self.codec, b"".join(events[:at]) + self.codec.problem_event(500, "broke"))
        assert found.outcome.ending == "error"
        assert found.outcome.fault

    @pytest.mark.parametrize("status", STATUSES)
    def test_the_official_sdk_raises_its_own_exception_on_an_error_of_ours(self, status: int) -> None:
        error = self.raised(status, self.codec.problem(status, "it is so", code="some_code", param="some_field"))
        assert getattr(error, "status_code", None) == status
        for told in ("it is so", "some_code", "some_field"):
            assert told in f"{error} {getattr(error, 'body', '')}"

    def test_the_official_sdk_raises_on_an_error_within_a_stream(self) -> None:
        error = self.raised(200, self.codec.problem_event(500, "it broke", code="some_code"), streamed=True)
        assert "it broke" in str(error)

    def test_an_error_that_quotes_half_a_character_gets_through(self) -> None:
        assert "it is so" in str(self.raised(400, self.codec.problem(400, "it is so \ud800")))

    def test_a_request_keeps_its_bytes_and_says_what_it_is(self) -> None:
        for stream in (False, True):
            body = json.dumps({**self.ask, "stream": stream}, indent=1).encode()
            request = self.read(body)
            assert (request.body, request.dialect, request.stream) == (body, self.codec.name, stream)
            assert request.model == self.ask["model"]
            assert self.codec.question(request)

    def test_another_model_is_the_only_change(self) -> None:
        body = json.dumps(self.ask, indent=1).encode()
        request = self.codec.renamed(self.read(body), "other")
        assert request.model == request.fields["model"] == "other"
        assert request.body == body.replace(json.dumps(self.ask["model"]).encode(), b'"other"')

    def read(self, body: bytes) -> Request:
        return self.codec.read_request(body, {}, Caller("s"))


_MODEL = re.compile(rb'"model": ?"')
"""All dialects name the model that answered."""

_ODD = (
    b"data: {}\n\n",
    b"data: []\n\n",
    b"data: null\n\n",
    b'data: {"type":5}\n\n',
    b"event: x\n\n",
    b"<html>\n\n",
    b": hi\n\n",
    b"data: [DONE]\n\n",
    b"\r\n\r\n",
    b"data: " + b"[" * 2000 + b"\n\n",
)
