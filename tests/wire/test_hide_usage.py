"""Usage that a caller did not ask for vanishes from the events, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.testing.chat_bytes import DONE, chat_events, event
from pennyworth.wire.chat.replay import hide_usage
from pennyworth.wire.sse import data_of
from tests.wire.recorded import Row

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
TRAPS = [
    'she said ,"usage":null and left', ',"usage":null', '"usage":null', '\\"usage\\":null', ', \\"usage\\" : null}', ',"usage":null}\n\n',
    '{"choices":[],"usage":{"prompt_tokens":1}}', 'usage', '"', "\\", "\\\\", '\\",', ',', '","usage":null,"', "用法 null",
]  # fmt: skip

HIDDEN = [
    ("at the end", b'data: {"id":"a","choices":[{"index":0}],"usage":null}\n\n', b'data: {"id":"a","choices":[{"index":0}]}\n\n'),
    ("before the padding", b'data: {"choices":[1],"usage":null,"obfuscation":"x1"}\n\n', b'data: {"choices":[1],"obfuscation":"x1"}\n\n'),
    ("with spaces", b'data: {"choices": [1], "usage" : null }\n\n', b'data: {"choices": [1] }\n\n'),
    ("with CRLF", b'data: {"choices":[1],"usage":null}\r\n\r\n', b'data: {"choices":[1]}\r\n\r\n'),
    ("with a type", b'event: chunk\ndata: {"choices":[1],"usage":null}\n\n', b'event: chunk\ndata: {"choices":[1]}\n\n'),
    ("without its blank line", b'data: {"choices":[1],"usage":null}', b'data: {"choices":[1]}'),
    ("in the middle", b'data: {"choices":[1],"usage":null,"model":"m"}\n\n', b'data: {"choices":[1],"model":"m"}\n\n'),
    ("at the beginning", b'data: {"usage":null,"choices":[1]}\n\n', b'data: {"choices":[1]}\n\n'),
    ("alone", b'data: {"usage":null}\n\n', b"data: {}\n\n"),
    ("beside one deeper down", b'data: {"x":{"a":1,"usage":null},"usage":null}\n\n', b'data: {"x":{"a":1,"usage":null}}\n\n'),
    ("before one deeper down", b'data: {"usage":null,"x":{"a":1,"usage":null}}\n\n', b'data: {"x":{"a":1,"usage":null}}\n\n'),
    ("over several lines", b'event: x\ndata: {"a":1,\ndata: "usage":null,"b":2}\n\n', b'event: x\ndata: {"a":1,\ndata: "b":2}\n\n'),
    ("a usage event", event({"choices": [], "usage": USAGE}), b""),
    ("a usage event with spaces", b'data: {"choices" : [ ], "usage" : {"prompt_tokens":1}}\n\n', b""),
    ("a usage event with a type and CR", b'event: x\rdata: {"choices":[],"usage":{"prompt_tokens":1}}\r\r', b""),
    ("a usage event with error: null", event({"choices": [], "usage": USAGE, "error": None}), b""),
]  # fmt: skip

LEFT = [
    ("one deeper down", b'data: {"x":{"a":1,"usage":null}}\n\n'),
    ("one deeper down at the very end", b'data: {"a":[{"b":1,"usage":null}]}\n\n'),
    ("a usage beside choices, which Mistral gives unasked", event({"choices": [{"index": 0}], "usage": USAGE})),
    ("an error that states usage", event({"choices": [], "usage": USAGE, "error": {"message": "x"}})),
    ("Groq's, in its own corner", event({"choices": [], "x_groq": {"id": "a", "usage": USAGE}})),
    ("no choices and no usage", event({"choices": [], "prompt_filter_results": [1]})),
    ("no JSON", b'data: {"usage":nul\n\n'),
    ("an array", b'data: [{"a":1},"usage",null]\n\n'),
    ("a comment", b': ,"usage":null}\n\n'),
    ("a comment after the data", b'data: {"choices":[1]}\n: ,"usage":null}\n\n'),
    ("the end", DONE),
]  # fmt: skip


@pytest.mark.parametrize(("whole", "left"), [row[1:] for row in HIDDEN], ids=[row[0] for row in HIDDEN])
def test_hidden(whole: bytes, left: bytes) -> None:
    assert hide_usage(whole) == left


@pytest.mark.parametrize("whole", [row[1] for row in LEFT], ids=[row[0] for row in LEFT])
def test_left_alone(whole: bytes) -> None:
    assert hide_usage(whole) == whole


texts = st.one_of(
    st.sampled_from(TRAPS), st.text(st.sampled_from('",:\\ {}[]usagenl\n'), max_size=30), st.text(max_size=8)
)
fields = st.dictionaries(
    st.one_of(st.sampled_from(["usage ", "Usage", "id", "x", "choices"]), texts),
    st.recursive(texts | st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("usage") | texts, inner, max_size=2), max_leaves=4),
    max_size=4,
)  # fmt: skip


@given(fields, st.sampled_from(["no", "null", "given"]), st.integers(0, 4), st.booleans(), st.booleans())
def test_usage_null_vanishes_and_nothing_else_changes(
    fields: dict[str, Any], usage: str, place: int, ascii: bool, spaced: bool
) -> None:
    items = [(name, value) for name, value in fields.items() if name != "usage"]
    if usage != "no":
        items.insert(min(place, len(items)), ("usage", None if usage == "null" else USAGE))
    text = json.dumps(dict(items), ensure_ascii=ascii, separators=None if spaced else (",", ":"))
    try:
        whole = event(text.encode())
    except UnicodeEncodeError:
        whole = event(json.dumps(dict(items)).encode())
    hidden = hide_usage(whole)
    if usage == "null":
        assert json.loads(data_of(hidden)) == {name: value for name, value in items if name != "usage"}
    elif usage == "given" and fields.get("choices") == []:
        assert hidden == b""
    else:
        assert hidden == whole


@pytest.mark.parametrize("text", TRAPS)
def test_a_text_that_looks_like_usage_is_a_text(text: str) -> None:
    for asked in (None, (3, 2)):
        shown = b"".join(hide_usage(one) for one in chat_events(["a", text, "b"], usage=asked))
        assert b"".join(chat_events(["a", text, "b"])) == shown


def test_what_recorded_streams_say_is_not_changed(recorded: list[Row]) -> None:
    for row in recorded:
        if not row.streamed:
            continue
        for chunk in row.chunks:
            shown = hide_usage(event(chunk))
            if chunk.get("choices") == [] and chunk.get("usage") and not chunk.get("error"):
                assert shown == b""
            else:
                assert json.loads(data_of(shown)) == {
                    k: v for k, v in chunk.items() if k != "usage" or v is not None
                }, row.id
