"""What a provider does not speak is said in its own way, and every other byte stays as it came."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.plan import PLAIN, Provider, Quirks
from pennyworth.request import Caller
from pennyworth.secret import Secret
from pennyworth.wire import chat, edits
from pennyworth.wire.shown_key import shown_key

HEAD = b'{"model":"m", "messages":[{"role":"user","content":"hi \\u00e9"}]'
STRICT = Quirks(leave_out=("stream_options", "user"), cap_field="max_tokens")
NEW = Quirks(cap_field="max_completion_tokens")

ROWS = [
    ("nothing to do", STRICT, b',"n":1}', b',"n":1}'),
    ("a field it refuses", STRICT, b',"user":"ann", "n":1}', b',"n":1}'),
    ("the last field", STRICT, b',"n":1,"user":"ann"}', b',"n":1}'),
    ("a stream is not asked for its usage", STRICT, b',"stream":true}', b',"stream":true}'),
    ("nor where the caller asks", STRICT, b',"stream":true,"stream_options":{"include_usage":true}}', b',"stream":true}'),
    ("the newer cap, said as it knows it", STRICT, b',"max_completion_tokens": 16,"n":1}', b',"n":1,"max_tokens":16}'),
    ("the older cap", STRICT, b',"max_tokens":16}', b',"max_tokens":16}'),
    ("both caps", STRICT, b',"max_tokens":16,"max_completion_tokens":9}', b',"max_tokens":16,"max_completion_tokens":9}'),
    ("the other way round", NEW, b',"max_tokens":16}', b',"max_completion_tokens":16}'),
    ("usage is asked for where the cap is renamed", NEW, b',"max_tokens":1,"stream":true}', b',"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":1}'),
    ("no quirk", PLAIN, b',"user":"ann","max_completion_tokens":16}', b',"user":"ann","max_completion_tokens":16}'),
]  # fmt: skip


@pytest.mark.parametrize(("quirks", "tail", "sent"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_quirk_changes_its_fields_and_nothing_else(quirks: Quirks, tail: bytes, sent: bytes) -> None:
    assert _sent(HEAD + tail, quirks) == HEAD + sent


FIELDS = {"user": "ann", "max_tokens": 5, "max_completion_tokens": 7, "seed": 1, "stream_options": {}, "x": [1.50]}
QUIRKS = st.builds(
    Quirks,
    leave_out=st.lists(st.sampled_from(["user", "stream_options", "metadata"]), unique=True).map(tuple),
    cap_field=st.sampled_from(["", "max_tokens", "max_completion_tokens"]),
)


@given(st.lists(st.sampled_from(list(FIELDS)), unique=True), st.booleans(), QUIRKS)
def test_whatever_is_sent_is_json_without_what_is_refused_and_with_the_cap(names: list[str], stream: bool, q: Quirks):
    body = {"model": "m", "messages": [{"role": "user", "content": "é"}], "stream": stream}
    body |= {name: FIELDS[name] for name in names}
    sent = json.loads(_sent(json.dumps(body).encode(), q))
    assert not set(q.leave_out) & set(sent)
    untouched = {"model", "messages", "stream", "seed", "x"}
    assert {name: sent.get(name) for name in untouched} == {name: body.get(name) for name in untouched}
    caps = [body[name] for name in ("max_tokens", "max_completion_tokens") if name in body]
    if q.cap_field and caps:
        assert sent[q.cap_field] in caps


def _sent(body: bytes, quirks: Quirks) -> bytes:
    request = chat.read_request(body, {}, Caller("a"))
    changes = chat.edits(request, quirks)
    return edits.apply(body, changes, tuple(edit.field for edit in changes if edit.field in request.fields))


KEYS = [
    ({}, ("authorization", "Bearer sk")),
    ({"auth": "api-key"}, ("api-key", "sk")),
    ({"auth": "x-api-key"}, ("x-api-key", "sk")),
    ({"auth": "none"}, None),
    ({"credential": Secret("")}, None),
    ({"forward_caller": True, "credential": Secret("")}, ("authorization", "Basic theirs")),
]


@pytest.mark.parametrize(("settings", "shown"), KEYS)
def test_a_key_is_shown_as_its_provider_wants_it(settings: dict[str, object], shown: tuple[str, str] | None) -> None:
    provider = Provider(**({"name": "p", "base_url": "http://p", "credential": Secret("sk")} | settings))  # type: ignore[arg-type]
    assert shown_key(provider, Caller("a", credential="Basic theirs")) == shown


def test_a_caller_without_a_key_of_his_own_shows_none() -> None:
    assert shown_key(Provider(name="p", base_url="http://p", forward_caller=True), Caller("a")) is None
