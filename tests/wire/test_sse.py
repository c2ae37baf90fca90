"""Events: the same whatever the cut and the line ends, and not a byte lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pennyworth.wire.sse import DONE, EventSplitter, data_of, event, is_plain, read, with_data

pieces = st.sampled_from(
    [
        b"data: {}", b"data:{}", b"data", b"data:", b"data: ", b"data: [DONE]", b"data:  two", b"data: \xe4\xbd\xa0", b": ping", b":",
        b"event: error", b"event:x", b"id: 1", b"retry: 10", b"bytes of no field", b'{"error":1}', b"", b"datax: 1",
    ]
)  # fmt: skip
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
streams = st.one_of(
    st.lists(st.tuples(pieces, ends)).map(lambda lines: b"".join(line + end for line, end in lines)),
    st.tuples(st.lists(pieces), ends).map(lambda drawn: drawn[1].join(drawn[0])),
    st.lists(st.sampled_from([b"\n", b"\r", b"a", b"data: a", b"\n\n", b"\r\n\r\n"])).map(b"".join),
    st.binary(max_size=40),
)


def cut_up(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    splitter, found, start = EventSplitter(), [], 0
    for cut in sorted(cut % (len(stream) + 1) for cut in cuts):
        found += splitter.feed(stream[start:cut])
        start = cut
    found += splitter.feed(stream[start:])
    return found, splitter.rest


def dispatched(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Type and data of the events in a whole stream, by WHATWG HTML §9.2.6, line by line."""
    found, kind, data = [], b"", []
    lines = re.split(rb"\r\n|\n|\r", stream)
    for line in lines[:-1]:  # what follows the last line end is no whole line
        if not line:
            if data:
                found.append((kind, b"\n".join(data)))
            kind, data = b"", []
            continue
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value
    return found


@given(streams, st.lists(st.integers(0, 400), max_size=8))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", list(range(24)))
@example(b"data: a\r\rdata: b\r\r\n\ndata: c\n\r\ndata: d\r\n\n", list(range(48)))
def test_any_cut_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    assert cut_up(stream, cuts) == cut_up(stream, [])
    assert cut_up(stream, list(range(len(stream)))) == cut_up(stream, [])


@given(streams, st.lists(st.integers(0, 400), max_size=4))
def test_events_and_rest_are_the_stream_byte_for_byte(stream: bytes, cuts: list[int]) -> None:
    events, rest = cut_up(stream, cuts)
    assert b"".join(events) + rest == stream


@given(streams)
@example(b"data: a\rdata: b\n\n")
@example(b"data: a\r\n\n")
def test_events_say_what_the_standard_says(stream: bytes) -> None:
    stream += b"x"  # a CR at the very end could still become a CRLF
    events, _ = cut_up(stream, [])
    assert [said for said in map(read, events) if said[1]] == [said for said in dispatched(stream) if said[1]]


@pytest.mark.parametrize(
    ("whole", "kind", "data"),
    [
        (b"data: x\n\n", b"", b"x"),
        (b"data:x\n\n", b"", b"x"),
        (b"data:  x\n\n", b"", b" x"),
        (b"data: x\r\n\r\n", b"", b"x"),
        (b"data: x\r\r", b"", b"x"),
        (b"data: x", b"", b"x"),
        (b"data: x\n", b"", b"x"),
        (b"data: [DONE]\r\n", b"", b"[DONE]"),
        (b"data: a\ndata: b\n\n", b"", b"a\nb"),
        (b"data: a\rdata: b\n\n", b"", b"a\nb"),
        (b"data\ndata\n\n", b"", b"\n"),
        (b": comment\n\n", b"", b""),
        (b"id: 7\nretry: 10\n\n", b"", b""),
        (b"event: error\ndata: x\n\n", b"error", b"x"),
        (b"data: x\nevent: error\n\n", b"error", b"x"),
        (b"data: x\revent: error\r\r", b"error", b"x"),
        (b"event: a\nevent: b\ndata: x\n\n", b"b", b"x"),
        (b"event\ndata: x\n\n", b"", b"x"),
        (b"\xef\xbb\xbfdata: x\n\n", b"", b"x"),
        (b"\ndata: x\n\n", b"", b"x"),
        (b"\n\n", b"", b""),
        (b"", b"", b""),
    ],
)
def test_type_and_data_of_an_event(whole: bytes, kind: bytes, data: bytes) -> None:
    assert read(whole) == (kind, data)
    assert data_of(whole) == data


def test_an_event_is_written_as_it_is_read() -> None:
    assert data_of(event(b'{"a":1}')) == b'{"a":1}'
    assert event(b"[DONE]") == DONE == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("whole", "plain"),
    [
        (b": ping\n\n", True),
        (b"id: 1\nretry: 5\nevent: x\n\n", True),
        (b"data\n\n", True),
        (b"\n\n", True),
        (b'{"error":{}}\n\n', False),
        (b": ping\nno field\n\n", False),
        (b"HTTP/1.1 500\r\n\r\n", False),
    ],
)
def test_bytes_that_are_no_event_are_told_from_events_without_data(whole: bytes, plain: bool) -> None:
    assert is_plain(whole) is plain


def test_other_data_leaves_the_other_fields() -> None:
    assert with_data(b"event: x\r\ndata: a\r\nid: 1\r\n\r\n", b"b\nc") == b"event: x\nid: 1\ndata: b\ndata: c\n\n"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_a_very_long_event_byte_by_byte_is_one_event(end: bytes) -> None:
    """Looked at as a whole only where it may end: 100 kB took 9 s when every piece meant the whole."""
    body = b"data: " + b"x" * 80_000 + end
    splitter = EventSplitter()
    found = [one for at in range(len(body)) for one in splitter.feed(body[at : at + 1])]
    assert [*found, splitter.rest] == [body, b""]
