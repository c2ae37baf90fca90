"""An edit sets one field and leaves every other byte of the body as it came."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pennyworth.request import Caller, Edit
from pennyworth.wire import chat, edits

NAMES = ["model", "stream_options", "messages", "a", "", "mod\\el", 'mod"el', "модель", "model ", "é", "\n"]
names = st.sampled_from(NAMES) | st.text(st.characters(exclude_categories=("Cs",)), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([0.5, -0.0, 1e300]) | st.text(max_size=6) | st.sampled_from(['"model":1', "}", "{", ",", "\\", '\\"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
objects = st.dictionaries(names, values, max_size=5)


def spelled(value: Any, chance: random.Random) -> str:
    """JSON with odd spacing and needless escapes."""
    gap = chance.choice(("", "", " ", "\n", "\t ", "\r\n"))
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
        text = (
            "".join(f"\\u{ord(c):04x}" if c.isalnum() and c.isascii() and chance.random() < 0.1 else c for c in text)
            if "\\" not in text
            else text
        )
    elif isinstance(value, dict):
        text = (
            "{"
            + gap
            + ",".join(gap + spelled(k, chance) + gap + ":" + spelled(v, chance) + gap for k, v in value.items())
            + "}"
        )
    elif isinstance(value, list):
        text = "[" + gap + ",".join(spelled(item, chance) + gap for item in value) + "]"
    else:
        text = json.dumps(value)
    return gap + text + gap


@settings(max_examples=60)
@given(objects, names, values, st.integers())
@example({"a": {"model": 1}, "messages": [{"model": 2}], "model": 3}, "model", "x", 0)
@example({}, "model", "x", 3)
@example({"a": 12, "b": 1}, "b", 5, 0)
def test_an_edit_sets_one_field_and_changes_no_other_byte(
    fields: dict[str, Any], name: str, value: Any, seed: int
) -> None:
    body = spelled(fields, random.Random(seed)).encode()
    edit = Edit(name, json.dumps(value).encode(), "why")
    done = edits.apply(body, (edit,), (name,) if name in fields else ())
    assert list(json.loads(done).items()) == list({**fields, name: value}.items())
    old = edits.value_of(body, name)
    assert bool(old) == (name in fields)
    if name in fields:
        start = next(body.index(old, at.start) for at in edits.members(body) if at.name == name)
        assert done == body[:start] + edit.value + body[start + len(old) :]
    else:
        end = body.rindex(b"}")
        added = done[end : len(done) - (len(body) - end)]
        assert done == body[:end] + added + body[end:]
        assert added.lstrip(b",") == json.dumps(name).encode() + b":" + edit.value


@settings(max_examples=40)
@given(objects, names, st.integers())
def test_a_field_removed_leaves_the_others(fields: dict[str, Any], name: str, seed: int) -> None:
    body = spelled(fields, random.Random(seed)).encode()
    left = edits.remove(body, name)
    assert list(json.loads(left).items()) == [(k, v) for k, v in fields.items() if k != name]
    if name not in fields:
        assert left == body


@settings(max_examples=40)
@given(objects, st.integers())
def test_members_stand_where_they_are_said_to(fields: dict[str, Any], seed: int) -> None:
    body = spelled(fields, random.Random(seed)).encode()
    found = list(edits.members(body))
    assert [(one.name, json.loads(body[one.start : one.end])) for one in found] == list(fields.items())
    assert [json.loads(b"{" + body[one.key : one.end] + b"}") for one in found] == [{k: v} for k, v in fields.items()]


ODD = [
    ("NaN, which msgspec does not read", b'{"a":NaN,"model":"m","b":-Infinity}', b'{"a":NaN,"model":"x","b":-Infinity}'),
    ("half a pair", b'{"a":"\\ud800","model":"m"}', b'{"a":"\\ud800","model":"x"}'),
    ("half a pair as a key", b'{"\\udc00":1,"model":"m"}', b'{"\\udc00":1,"model":"x"}'),
    ("the name escaped", b'{"mod\\u0065l" : "m" }', b'{"mod\\u0065l" : "x" }'),
    ("a nested key twice", b'{"a":{"b":1,"b":2},"model":"m"}', b'{"a":{"b":1,"b":2},"model":"x"}'),
    ("the name as a value", b'{"a":"model","model":"m"}', b'{"a":"model","model":"x"}'),
    ("the name in a text", b'{"a":"\\"model\\":1","model":"m"}', b'{"a":"\\"model\\":1","model":"x"}'),
    ("the name deeper down", b'{"a":[{"model":"m"}],"model":"m"}', b'{"a":[{"model":"m"}],"model":"x"}'),
    ("a value that begins another", b'{"a":12,"model":1}', b'{"a":12,"model":"x"}'),
    ("twice, both are set", b'{"model":12,"b":0,"model":1}', b'{"model":"x","b":0,"model":"x"}'),
    ("twice, the second longer", b'{"model":1,"model":[1,2]}', b'{"model":"x","model":"x"}'),
    ("big integers", b'{"a":18446744073709551617,"model":"m"}', b'{"a":18446744073709551617,"model":"x"}'),
    ("text beyond ASCII before it", '{"a":"你好 😀","model":"m","é":"é"}'.encode(), '{"a":"你好 😀","model":"x","é":"é"}'.encode()),
    ("spaces around everything", b' \n{ "model"\t:\r\n"m" , "a" : 1 } \n', b' \n{ "model"\t:\r\n"x" , "a" : 1 } \n'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "done"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_set_in_odd_bodies(body: bytes, done: bytes) -> None:
    assert edits.apply(body, (Edit("model", b'"x"', "why"),), ("model",)) == done
    assert edits.with_field(body, "model", b'"x"') == done


ADDED = [
    (b"{}", b'{"n":1}'),
    (b" { } ", b' { "n":1} '),
    (b'{"a":1}', b'{"a":1,"n":1}'),
    (b'{"a":{}}', b'{"a":{},"n":1}'),
    (b'{"a":"{"}', b'{"a":"{","n":1}'),
    (b'{"a":"}"\n}\n', b'{"a":"}"\n,"n":1}\n'),
    (b'{"a":NaN}', b'{"a":NaN,"n":1}'),
]


@pytest.mark.parametrize(("body", "done"), ADDED)
def test_added_at_the_end(body: bytes, done: bytes) -> None:
    assert edits.apply(body, (Edit("n", b"1", "why"),), ()) == done
    assert edits.with_field(body, "n", b"1") == done


def test_several_edits_are_applied_in_order() -> None:
    changes = (Edit("a", b"1", ""), Edit("model", b'"y"', ""), Edit("b", b"{}", ""))
    assert edits.apply(b'{"model":"m"}', changes, ("model",)) == b'{"model":"y","a":1,"b":{}}'


# The edit that asks for a stream's usage.

HEAD = b'{"model":"m","messages":[{"role":"user","content":"hi \\u00e9 \xc3\xa9"}],"stream":true'

ASKED = [
    ("no options", b"}", b',"stream_options":{"include_usage":true}}'),
    ("null", b',"stream_options":null}', b',"stream_options":{"include_usage":true}}'),
    ("empty", b',"stream_options":{}}', b',"stream_options":{"include_usage":true}}'),
    ("not wanted", b',"stream_options":{"include_usage":false}}', b',"stream_options":{"include_usage":true}}'),
    ("null in it", b',"stream_options":{"include_usage" : null}}', b',"stream_options":{"include_usage" : true}}'),
    ("others", b',"stream_options": { "include_obfuscation":false }, "n":1}', b',"stream_options": { "include_obfuscation":false ,"include_usage":true}, "n":1}'),
    ("odd ones", b',"stream_options":{"x":NaN,"y":1.50,"z":"\\ud800"}}', b',"stream_options":{"x":NaN,"y":1.50,"z":"\\ud800","include_usage":true}}'),
    ("twice in it", b',"stream_options":{"include_usage":true,"include_usage":false}}', b',"stream_options":{"include_usage":true,"include_usage":true}}'),
]  # fmt: skip


@pytest.mark.parametrize(("tail", "done"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_usage_is_asked_for_without_touching_anything_else(tail: bytes, done: bytes) -> None:
    request = chat.read_request(HEAD + tail, {}, Caller("a"))
    changes = chat.edits(request)
    assert [(edit.field, edit.lose) for edit in changes] == [("stream_options", "usage")]
    present = tuple(edit.field for edit in changes if edit.field in request.fields)
    assert edits.apply(request.body, changes, present) == HEAD + done


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b',"stream_options":{"include_usage":true}}',
        HEAD + b',"stream_options":{"include_usage":"yes"}}',  # the provider has to say so
        HEAD + b',"stream_options":{"include_usage":1}}',
        HEAD.replace(b"true", b"false") + b"}",
        HEAD.replace(b"true", b"null") + b"}",
    ],
)
def test_nothing_is_changed_where_usage_is_asked_for_or_there_is_no_stream(body: bytes) -> None:
    assert chat.edits(chat.read_request(body, {}, Caller("a"))) == ()
