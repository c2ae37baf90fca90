"""Laws of translated streams, over replies that nobody recorded."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pennyworth.request import Dialect
from pennyworth.testing.chat_bytes import DONE, event
from pennyworth.wire.translate import StreamTranslator
from tests.wire.streams.meaning import Meaning, arguments, by_sdk, pieces

DIALECTS: tuple[Dialect, ...] = ("chat", "messages", "responses")
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), min_size=1, max_size=4)
ARGUMENTS = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers() | st.text(max_size=4), max_size=3)


class Part(NamedTuple):
    """Of a reply. ``kind``: the delta's field; of calls, several at once, their chunks in any order that keeps each."""

    kind: str
    said: list[str]
    calls: list[tuple[str, str]]
    order: list[int]


@st.composite
def spoken(draw: st.DrawFn) -> Part:
    kind = draw(st.sampled_from(["content", "reasoning", "reasoning_content"]))
    return Part(kind, draw(TEXTS), [], [])


@st.composite
def called(draw: st.DrawFn) -> Part:
    calls = [(f"f{i}", json.dumps(draw(ARGUMENTS))) for i in range(draw(st.integers(1, 3)))]
    chunks = [i for i, (_, said) in enumerate(calls) for _ in range(1 + len(said[:3]))]
    return Part("tool_calls", [], calls, draw(st.permutations(chunks)))


@st.composite
def replies(draw: st.DrawFn) -> list[Part]:
    parts: list[Part] = draw(st.lists(spoken(), max_size=3))
    return parts + (draw(st.lists(called(), max_size=1)) if draw(st.booleans()) else [])


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event(json.dumps({"id": "x", "created": 5, "model": "m", "choices": [choice], "usage": None}).encode())


def call_chunks(part: Part) -> list[bytes]:
    """Each call begins with its name; its arguments come in up to three pieces."""
    waiting = {i: [said[:1], said[1:2], said[2:]][: len(said[:3])] for i, (_, said) in enumerate(part.calls)}
    begun: set[int] = set()
    out = []
    for i in part.order:
        if i in begun:
            call: dict[str, Any] = {"index": i, "function": {"arguments": waiting[i].pop(0)}}
        else:
            begun.add(i)
            call = {
                "index": i,
                "id": f"call_{i}",
                "type": "function",
                "function": {"name": part.calls[i][0], "arguments": ""},
            }
        out.append(chunk({"tool_calls": [call]}))
    return out


def as_chat(parts: list[Part]) -> bytes:
    out = [chunk({"role": "assistant", "content": ""})]
    for part in parts:
        out += call_chunks(part) if part.calls else [chunk({part.kind: text}) for text in part.said]
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    }
    out.append(chunk({}, "tool_calls" if any(part.calls for part in parts) else "stop"))
    last = {"id": "x", "model": "m", "choices": [], "usage": usage}
    return b"".join([*out, event(json.dumps(last).encode()), DONE])


def meant(parts: list[Part]) -> Meaning:
    texts = {
        kind: "".join(text for part in parts if part.kind in kind for text in part.said)
        for kind in ("content", "reasoning_content")
    }
    calls = tuple((name, arguments(said)) for part in parts for name, said in part.calls)
    # In the order in which they began.
    begun = [i for part in parts for i in dict.fromkeys(part.order)]
    calls = tuple(calls[i] for i in begun)
    thinking = "".join(text for part in parts if part.kind.startswith("reasoning") for text in part.said)
    return Meaning(
        texts["content"], thinking, "", calls, "tools" if calls else "complete", (9, 7, 4, 2, 0), (), "m", "x"
    )


def translated(raw: bytes, origin: Dialect, into: Dialect) -> bytes:
    translator = StreamTranslator(origin, into)
    return translator.feed(raw) + translator.finish()


@given(replies())
def test_texts_thinking_and_interleaved_calls_arrive_as_they_were_meant(parts: list[Part]) -> None:
    raw, meaning = as_chat(parts), meant(parts)
    for into in ("messages", "responses"):
        there = translated(raw, "chat", into)
        assert by_sdk(into, there) == meaning
        assert by_sdk("chat", translated(there, into, "chat")) == meaning


@given(replies(), st.lists(st.integers(0, 4000)))
def test_no_cut_changes_what_comes_out(parts: list[Part], cuts: list[int]) -> None:
    raw = as_chat(parts)
    for into in ("messages", "responses"):
        there = translated(raw, "chat", into)
        for origin, other, bytes_in in (("chat", into, raw), (into, "chat", there)):
            translator = StreamTranslator(origin, other)  # type: ignore[arg-type]
            said = b"".join([translator.feed(piece) for piece in pieces(bytes_in, cuts)])
            assert said + translator.finish() == translated(bytes_in, origin, other)  # type: ignore[arg-type]


@given(replies(), st.data())
def test_whatever_the_bytes_it_raises_nothing(parts: list[Part], data: st.DataObject) -> None:
    origin = data.draw(st.sampled_from(DIALECTS))
    raw = as_chat(parts) if origin == "chat" else translated(as_chat(parts), "chat", origin)
    events = [one + b"\n\n" for one in raw.split(b"\n\n")]
    events = data.draw(st.lists(st.sampled_from(events) | st.binary(max_size=30), max_size=12))
    for place in data.draw(st.lists(st.integers(0, 5000), max_size=6)):
        whole = b"".join(events)
        place = place % (len(whole) + 1)
        events = [whole[:place], data.draw(st.binary(max_size=3)), whole[place + 1 :]]
    for into in DIALECTS:
        translated(b"".join(events), origin, into)
