"""The key: the same for the same question, however it is spelled; another one for anything else."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.decide.key import LEFT_OUT, Keyring, Keys, Question
from pennyworth.decide.normalise import normalise_messages
from pennyworth.errors import RequestError
from pennyworth.plan import CacheSpec, Provider, Target
from pennyworth.request import Caller, Key, Request
from pennyworth.wire.chat.request import read_request

SECRET = b"the deployment's own secret, 32 b"
KEYRING = Keyring(SECRET)
TARGET = Target(provider=Provider(name="openai", base_url="https://api.openai.com/v1"), model="gpt-4o-mini")
CALLER = Caller("team-a")
HEAD = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]'


def exact(keyring: Keyring, request: Request, target: Target, route: str, epoch: int) -> Key | None:
    """The key of a request that is taken for its own normal form."""
    keys = keyring.keys(request, Question("chat", request.fields, request.fields), target, route, epoch)
    return keys.exact if keys else None


def folded(request: Request) -> Question:
    return Question("chat", request.fields, normalise_messages(request.fields, CacheSpec()))


def read(body: bytes, headers: dict[str, str] | None = None) -> Request:
    return read_request(body, headers or {}, CALLER, vary=("openai-project", "openai-beta"))


def key(body: str | bytes, headers: dict[str, str] | None = None) -> Key | None:
    return exact(KEYRING, read(body if isinstance(body, bytes) else body.encode(), headers), TARGET, "default", 0)


def made(found: Key | None) -> Key:
    assert found is not None
    return found


# What a body means, by the standard library: numbers by their characters, keys in any order, texts by their characters.


def meaning(body: bytes) -> str | None:
    """Equal for two bodies if and only if they ask the same; ``None`` where one must not have a key."""
    try:
        fields = json.loads(body, parse_float=_number, parse_int=_number, parse_constant=_odd, object_pairs_hook=_pairs)
        json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, _OddError):
        return None
    return json.dumps({name: value for name, value in fields.items() if name not in LEFT_OUT}, sort_keys=True)


class _OddError(Exception):
    pass


def _number(lexeme: str) -> list[str]:
    return ["a number", lexeme]  # lists of this form do not occur in the bodies below


def _odd(_: str) -> None:
    raise _OddError


def _pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(found)) != len(found):
        raise _OddError
    return dict(found)


class Census:
    """Every key met so far, with the body it was made for: one key, one question; and one question, one key."""

    def __init__(self) -> None:
        self.bodies: dict[Key, bytes] = {}
        self.keys: dict[str | None, Key] = {}
        self.met = 0

    def take(self, body: bytes) -> None:
        try:
            found = key(body)
        except RequestError:
            return
        self.met += 1
        if found is None:
            assert meaning(body) is None, f"no key: {body!r}"
            return
        known = self.bodies.setdefault(found, body)
        if known != body:
            assert meaning(known) == meaning(body), f"two questions, one key: {known!r} {body!r}"
        if self.met % 32 == 0:  # the standard library's reading is the slow part
            asked = meaning(body)
            assert asked is not None, f"a key: {body!r}"
            assert self.keys.setdefault(asked, found) == found, f"one question, two keys: {body!r}"


BODIES = [
    '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"What is 2^64+1? It is \\"big\\": 1e19."}],"temperature":0.50,'
    '"n":1,"seed":18446744073709551617,"stop":["a","b"],"logit_bias":{"1":-100,"2":0},"tools":[],"stream":false,"user":"u"}',
    '{"model": "m", "messages": [{"role": "system", "content": ""}, {"role": "user", "content": [{"type": "text", '
    '"text": "xin ch\\u00e0o \\ud83d\\ude00"}]}], "top_p": 1, "response_format": {"type": "json_schema", "json_schema": '
    '{"name": "a", "strict": true, "schema": {"type": "object", "properties": {"a": {"type": "integer", "minimum": -0.0}}}}}}',
    '{"messages":[{"role":"user","content":"你好，世界"},{"role":"assistant","content":null,"tool_calls":[{"id":"1",'
    '"type":"function","function":{"name":"f","arguments":"{\\"a\\":1,\\"b\\":[true]}"}}]},{"role":"tool","content":"ok",'
    '"tool_call_id":"1"}],"model":"x","metadata":{"a":"b"},"max_tokens":16,"unknown":{"nested":[[],{},0,-0,""]}}',
]

CONFUSABLE = [
    "0", "-0", "0.0", "-0.0", "0e0", "1", "1.0", "1e0", "1E0", "true", "false", "null", '""', '" "', '"1"', '"true"', "[]",
    "{}", "[[]]", "[{}]", '{"":""}', '{"":null}', "1e999", "1e998", "-1", "18446744073709551616", "18446744073709551617",
    "9007199254740993", "9007199254740992", "NaN", "Infinity", '"\\ud800"', '"e\\u0301"', '"\\u00e9"', '"É"', '"a"', '"b"',
    '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a":1,"a":1}', "[1,2]", "[2,1]", '"\\u0000"', '"\\n"', '"\\\\n"', '"\\":\\""',
]  # fmt: skip
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[\[\]{}:,]')
INTERESTING = b'"\\:,{}[]0123456789-+.eE \t\n\r/bfnrtuaAlsxNI\x00\x7f\xc3\xa9'


TOKENS = {body: [found.span() for found in TOKEN.finditer(body)] for body in BODIES}


def swap_token(body: str, chance: random.Random) -> bytes:
    """One value or name replaced by something that could be mistaken for it."""
    start, end = chance.choice(TOKENS[body])
    return (body[:start] + chance.choice(CONFUSABLE) + body[end:]).encode()


def swap_two_tokens(body: str, chance: random.Random) -> bytes:
    (start, end), (later, last) = sorted(chance.sample(TOKENS[body], 2))
    return (body[:start] + body[later:last] + body[end:later] + body[start:end] + body[last:]).encode()


def space_out(body: str, chance: random.Random) -> bytes:
    return TOKEN.sub(lambda found: chance.choice(("", " ", "\n", "\t\r")) + found.group(), body).encode()


def change_bytes(body: str, chance: random.Random) -> bytes:
    raw = bytearray(body.encode())
    for _ in range(chance.choice((1, 1, 1, 2))):
        at = chance.randrange(len(raw))
        match chance.randrange(4):
            case 0:
                raw[at] = chance.choice(INTERESTING)
            case 1:
                del raw[at]
            case 2:
                raw.insert(at, chance.choice(INTERESTING))
            case _:
                raw[at] ^= 1 << chance.randrange(8)
    return bytes(raw)


@pytest.mark.parametrize(
    ("mutate", "times"), [(swap_token, 50_000), (swap_two_tokens, 8_000), (space_out, 1_000), (change_bytes, 42_000)]
)
def test_no_two_questions_share_a_key_however_bodies_are_changed(
    mutate: Callable[[str, random.Random], bytes], times: int
) -> None:
    chance, census = random.Random(20260101), Census()
    for body in BODIES:
        census.take(body.encode())
    for i in range(times):
        census.take(mutate(BODIES[i % len(BODIES)], chance))
    assert census.met > times / 8


# The same, over any JSON there is.

numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "0.0", "-0.0", "1.0", "1e0", "1E+2", "0.50", "18446744073709551617", "1e400"]),
)


class Number(str):
    """A number as its characters."""


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), texts, numbers.map(Number)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=5)


def written(value: Any, chance: random.Random | None = None) -> str:
    """The value as JSON; with ``chance``, in any order, spacing and escaping."""
    space = (lambda: chance.choice(("", "", " ", "\n", "\r\t "))) if chance else (lambda: "")
    if isinstance(value, Number):
        text = str(value)
    elif isinstance(value, str):
        text = _escaped(value, chance) if chance else json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        items = list(value.items())
        if chance:
            chance.shuffle(items)
        text = "{" + ",".join(written(k, chance) + ":" + written(v, chance) for k, v in items) + space() + "}"
    elif isinstance(value, list):
        text = "[" + ",".join(written(item, chance) for item in value) + space() + "]"
    else:
        text = json.dumps(value)
    return space() + text + space()


def _escaped(text: str, chance: random.Random) -> str:
    out = []
    for character in text:
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        out.append(chance.choice((plain, plain, json.dumps(character)[1:-1], _units(character))))
    return '"' + "".join(out) + '"'


def _units(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))


def body_with(fields: dict[str, Any], chance: random.Random | None = None) -> str:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    return written({**{f"x{name}": value for name, value in fields.items()}, **asked}, chance)


@settings(max_examples=60, deadline=None)
@given(objects, st.integers())
def test_order_spacing_and_escaping_do_not_change_a_key(fields: dict[str, Any], seed: int) -> None:
    assert made(key(body_with(fields))) == key(body_with(fields, random.Random(seed)))


@settings(max_examples=60, deadline=None)
@given(objects, objects)
def test_two_different_objects_have_two_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = body_with(one), body_with(other)
    same = meaning(first.encode()) == meaning(second.encode())
    assert (made(key(first)) == made(key(second))) == same


# What is not in the body.


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_field_left_out_makes_no_difference(name: str) -> None:
    plain = made(key(HEAD + "}"))
    values_of = {"stream": ["true", "false", "null"], "stream_options": ['{"include_usage":true}', "{}"]}
    for value in values_of.get(name, ['"a"', '"b"', "null", '{"a":1.50}']):
        assert key(f'{HEAD},"{name}":{value}}}') == plain
        assert key(f'{{"{name}":{value},{HEAD[1:]}}}') == plain
    assert LEFT_OUT[name]  # its reason


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_field_left_out_is_so_only_at_the_top(name: str) -> None:
    keys = {made(key(f'{HEAD},"response_format":{{"{name}":{value}}}}}')) for value in ('"a"', '"b"', "true")}
    assert len(keys) == 3


@pytest.mark.parametrize(
    "more",
    [
        '"temperature":0', '"temperature":0.0', '"temperature":1', '"seed":1', '"n":2', '"max_tokens":16', '"tools":[]',
        '"max_completion_tokens":16', '"reasoning_effort":"low"', '"store":false', '"logprobs":true', '"verbosity":"low"',
        '"a_field_of_tomorrow":null', '"Stream":true', '"stream ":true', '"users":"a"', '"prompt_cache_keys":"a"',
    ],
)  # fmt: skip
def test_any_other_field_counts_known_or_not(more: str) -> None:
    assert made(key(f"{HEAD},{more}}}")) != made(key(HEAD + "}"))


def other_keys(request: Request) -> dict[str, Key | None]:
    """The key of one request, and of the same one with one thing around it changed."""
    replace = msgspec.structs.replace
    elsewhere = replace(TARGET, provider=replace(TARGET.provider, name="azure"))
    return {
        "itself": exact(KEYRING, request, TARGET, "default", 0),
        "scope": exact(KEYRING, replace(request, caller=Caller("team-b")), TARGET, "default", 0),
        "no scope": exact(KEYRING, replace(request, caller=Caller("")), TARGET, "default", 0),
        "model asked for": exact(KEYRING, replace(request, model="gpt-4o"), TARGET, "default", 0),
        "provider": exact(KEYRING, request, elsewhere, "default", 0),
        "model sent to": exact(KEYRING, request, replace(TARGET, model="gpt-4o-mini-2"), "default", 0),
        "revision": exact(KEYRING, request, replace(TARGET, revision="weights of May"), "default", 0),
        "route": exact(KEYRING, request, TARGET, "other", 0),
        "epoch": exact(KEYRING, request, TARGET, "default", 1),
        "header": exact(KEYRING, replace(request, vary=(("openai-beta", "a"),)), TARGET, "default", 0),
        "header's value": exact(KEYRING, replace(request, vary=(("openai-beta", "b"),)), TARGET, "default", 0),
        "header's name": exact(KEYRING, replace(request, vary=(("openai-project", "a"),)), TARGET, "default", 0),
        "two headers": exact(
            KEYRING, replace(request, vary=(("openai-beta", "a"), ("openai-project", "a"))), TARGET, "default", 0
        ),
        "secret": exact(Keyring(b"another deployment"), request, TARGET, "default", 0),
    }


def test_scope_model_target_revision_route_headers_epoch_and_secret_each_change_the_key() -> None:
    keys = other_keys(read((HEAD + "}").encode()))
    assert None not in keys.values()
    assert len(set(keys.values())) == len(keys)


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    replace, request = msgspec.structs.replace, read((HEAD + "}").encode())
    keys = [
        exact(KEYRING, replace(request, model=model), replace(TARGET, model=to, revision=revision), route, 0)
        for model, to, revision, route in (
            ("a", "b", "c", "d"), ("ab", "", "c", "d"), ("a", 'b","c', "", "d"), ("a", "b", "", 'c","d'), ("", "ab", "c", "d"),
        )
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_headers_count_in_any_order_and_others_not_at_all() -> None:
    plain = key(HEAD + "}")
    assert key(HEAD + "}", {"user-agent": "x", "authorization": "Bearer y", "cache-control": "max-age=5"}) == plain
    one = key(HEAD + "}", {"openai-beta": "a", "openai-project": "p"})
    assert one == key(HEAD + "}", {"openai-project": "p", "openai-beta": "a"}) != plain


def test_the_order_in_which_header_names_are_configured_does_not_matter() -> None:
    headers = {"openai-beta": "a", "openai-project": "p"}
    one = read_request((HEAD + "}").encode(), headers, CALLER, vary=("openai-project", "openai-beta"))
    other = read_request((HEAD + "}").encode(), headers, CALLER, vary=("openai-beta", "openai-project"))
    assert one.vary == other.vary == (("openai-beta", "a"), ("openai-project", "p"))


def test_unkeyed_requests_have_no_key() -> None:
    assert key(HEAD + ',"seed":NaN}') is None
    assert key(HEAD + ',"stop":"\\ud800"}') is None
    assert key(HEAD + ',"metadata":{"a":1,"a":2}}') is None


def test_wordings_of_one_form_share_a_key_and_have_one_of_their_own() -> None:
    plain = read((HEAD + "}").encode())
    typed = [read(HEAD.replace("hello", text).encode() + b"}") for text in ("hello", " hello", "hello ", "  hello")]
    keys = [KEYRING.keys(each, folded(each), TARGET, "default", 0) for each in typed]
    assert all(each is not None for each in keys)
    assert {each.normal for each in keys if each} == {exact(KEYRING, plain, TARGET, "default", 0)}
    assert len({each.exact for each in keys if each}) == len(typed)
    assert keys[0] is not None
    assert keys[0].exact == keys[0].normal


@given(st.lists(st.sampled_from(["a", " a", "a ", "a  b", "a b", " a  b"]), min_size=1, max_size=4), st.data())
def test_two_wordings_have_one_exact_key_only_if_they_are_the_same(texts: list[str], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.sampled_from(["a", " a", "a ", "a  b", "a b", " a  b"]), min_size=1, max_size=4))

    def keys_of(turns: list[str]) -> Keys:
        body = {"model": "m", "messages": [{"role": "user", "content": text} for text in turns]}
        request = read(json.dumps(body).encode())
        found = KEYRING.keys(request, folded(request), TARGET, "default", 0)
        assert found is not None
        return found

    one, other = keys_of(texts), keys_of(others)
    assert (one.exact == other.exact) == (texts == others)
    same_form = [" ".join(text.split()) for text in texts] == [" ".join(text.split()) for text in others]
    assert (one.normal == other.normal) == same_form


def test_the_key_is_hmac_sha256_of_the_scopes_secret() -> None:
    """The construction written out once more, as the document of it."""
    material = (
        b'[2,"chat","gpt-4o-mini","openai/gpt-4o-mini","",0,"default",[]]'
        b'{"messages":[{"content":"hello","role":"user"}],"model":"gpt-4o-mini"}'
    )
    scope_secret = hmac.digest(SECRET, b"scope\0team-a", "sha256")
    assert key(HEAD + "}") == hmac.new(scope_secret, material, hashlib.sha256).digest()


def test_two_processes_with_one_secret_make_the_same_keys() -> None:
    program = """
import sys
sys.path.insert(0, "tests/decide")
import test_key
for body in test_key.BODIES:
    print(test_key.key(body).hex(), test_key.KEYRING.pseudonym("user", body), test_key.KEYRING.derive("store").hex())
"""
    said = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    here = [
        f"{made(key(body)).hex()} {KEYRING.pseudonym('user', body)} {KEYRING.derive('store').hex()}" for body in BODIES
    ]
    assert said[0].split("\n")[:-1] == said[1].split("\n")[:-1] == here


def test_more_scopes_than_are_remembered_change_nothing() -> None:
    keyring, request = Keyring(SECRET), read((HEAD + "}").encode())
    first = exact(keyring, request, TARGET, "default", 0)
    for i in range(10_050):
        exact(keyring, msgspec.structs.replace(request, caller=Caller(f"scope {i}")), TARGET, "default", 0)
    assert exact(keyring, request, TARGET, "default", 0) == first
    assert len(keyring._scopes) <= 10_000


def test_a_scope_of_any_characters_is_a_scope() -> None:
    request = read((HEAD + "}").encode())
    scopes = ("", "a", "a\0", "\ud800", "\udfff", "ä")
    keys = {
        exact(KEYRING, msgspec.structs.replace(request, caller=Caller(scope)), TARGET, "default", 0) for scope in scopes
    }
    assert len(keys) == len(scopes)


def test_names_and_secrets_for_other_purposes_are_told_apart() -> None:
    names = {
        KEYRING.pseudonym(purpose, text) for purpose in ("user", "credential", "scope") for text in ("a", "b", "\ud800")
    }
    assert len(names) == 9
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)
    assert KEYRING.derive("store") != KEYRING.derive("journal")
    assert not KEYRING.derive("x").hex().startswith(KEYRING.pseudonym("derive", "x"))
