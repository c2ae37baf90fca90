"""What is ambiguous is refused or marked; what is not is read without losing how a number was written."""

from __future__ import annotations

import json

import pytest

from pennyworth.canonical import Lexeme, encode
from pennyworth.errors import RequestError
from pennyworth.wire.json_tree import parse


def refused(body: bytes, max_depth: int = 128) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(body, max_depth)
    assert caught.value.status == 400
    caught.value.message.encode()  # it can be sent, whatever was in the body
    (caught.value.param or "").encode()
    return caught.value


NESTED = '{"a":' + "[" * 127 + "]" * 127 + "}"

REFUSED = [
    ("nothing", b"", "invalid_json", "not valid JSON"),
    ("only spaces", b" \n", "invalid_json", "not valid JSON"),
    ("half an object", b'{"a":1', "invalid_json", "line 1, column 7"),
    ("words", b"model=gpt", "invalid_json", "Check what your client sends"),
    ("two documents", b'{"a":1}{"a":1}', "invalid_json", "Extra data"),
    ("a trailing comma", b'{"a":1,}', "invalid_json", "not valid JSON"),
    ("a leading zero", b'{"a":01}', "invalid_json", "not valid JSON"),
    ("a plus sign", b'{"a":+1}', "invalid_json", "not valid JSON"),
    ("a bare point", b'{"a":.5}', "invalid_json", "not valid JSON"),
    ("a single quote", b"{'a':1}", "invalid_json", "not valid JSON"),
    ("a comment", b'{"a":1} // yes', "invalid_json", "Extra data"),
    ("a NUL byte at the end", b'{"a":1}\x00', "invalid_json", "Extra data"),
    ("a NUL byte in a string", b'{"a":"\x00"}', "invalid_json", "Invalid control character"),
    ("a line break in a string", b'{"a":"x\ny"}', "invalid_json", "Invalid control character"),
    ("an unknown escape", b'{"a":"\\x41"}', "invalid_json", "escape"),
    ("a form feed as a space", b'{"a":\x0c1}', "invalid_json", "not valid JSON"),
    ("an array", b"[1]", "invalid_body", "JSON array, not an object"),
    ("a string", b'"hello"', "invalid_body", "JSON string, not an object"),
    ("a number", b"1.5", "invalid_body", "JSON number, not an object"),
    ("a boolean", b"true", "invalid_body", "JSON boolean, not an object"),
    ("null", b"null", "invalid_body", "JSON null, not an object"),
    ("an array of objects with a key twice", b'[{"a":1,"a":2}]', "invalid_body", "JSON array, not an object"),
    ("a byte that is no UTF-8", b'{"a":"\xff"}', "invalid_body", "byte 6 is 0xff"),
    ("an overlong NUL", b'{"a":"\xc0\x80"}', "invalid_body", "byte 6 is 0xc0"),
    ("a surrogate in UTF-8", b'{"a":"\xed\xa0\x80"}', "invalid_body", "not UTF-8"),
    ("half a character", b'{"a":"\xe4\xbd', "invalid_body", "not UTF-8"),
    ("a byte order mark", b'\xef\xbb\xbf{"a":1}', "invalid_json", "byte order mark"),
    ("UTF-16 with a mark", '{"a":1}'.encode("utf-16"), "invalid_body", "Send JSON encoded as UTF-8"),
    ("UTF-16 without", '{"a":1}'.encode("utf-16-le"), "invalid_json", "not valid JSON"),
    ("UTF-32", '{"a":1}'.encode("utf-32-be"), "invalid_json", "not valid JSON"),
    ("a top-level key twice", b'{"a":1,"b":2,"a":1}', "duplicate_key", "The key 'a' stands twice"),
    ("twice with other spacing", b'{ "a" : 1 , "a" : 2 }', "duplicate_key", "send it once"),
    ("twice, once escaped", b'{"model":1,"mod\\u0065l":2}', "duplicate_key", "The key 'model' stands twice"),
    ("twice, between oddities", b'{"a":NaN,"b":{"c":1,"c":2},"a":1}', "duplicate_key", "The key 'a'"),
    ("an empty key twice", b'{"":1,"":2}', "duplicate_key", "The key ''"),
    ("half a pair as a key, twice", b'{"\\ud800":1,"\\ud800":2}', "duplicate_key", "\\ud800"),
    ("depth 129", ('{"a":' + "[" * 128 + "]" * 128 + "}").encode(), "too_deep", "deeper than 128 levels"),
    ("depth 129 of objects", ('{"a":' * 129 + "1" + "}" * 129).encode(), "too_deep", "deeper than 128"),
    ("depth 100,000", ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}").encode(), "too_deep", "too deeply"),
    ("depth 100,000 behind a NaN", ('{"n":NaN,"a":' + "[" * 100_000).encode(), "too_deep", "too deeply"),
    ("half a document, 100,000 deep", b'{"a":' * 100_000, "too_deep", "too deeply"),
]


@pytest.mark.parametrize(("body", "code", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_with_the_reason(body: bytes, code: str, words: str) -> None:
    error = refused(body)
    assert error.code == code
    assert words in error.message
    assert len(error.message) < 300


def test_32_megabytes_of_brackets_are_refused_like_a_few() -> None:
    assert refused(b"[" * 32_000_000).code == "too_deep"
    assert refused(b'{"a":' + b"[" * 32_000_000).code == "too_deep"


def test_a_long_duplicate_key_is_not_said_back_in_full() -> None:
    error = refused(b'{"%b":1,"%b":2}' % (b"k" * 100_000, b"k" * 100_000))
    assert len(error.message) < 250
    assert error.param is not None
    assert len(error.param) < 100


UNKEYED = [
    ("a nested key twice", b'{"a":{"b":1,"b":1}}', "a key twice in one object"),
    ("a nested key twice, in a list", b'{"a":[{"b":1,"c":2,"b":3}]}', "a key twice"),
    ("a nested key twice, once escaped", b'{"a":{"b":1,"\\u0062":2}}', "a key twice"),
    ("a nested key twice, spaced", b'{"a" : {"b" : 1, "b"\n: 2}}', "a key twice"),
    ("twice beside an escaped quote that looks like a key", b'{"a":{"b":1,"b":2},"c":"\\u0022:"}', "a key twice"),
    ("twice, the first one longer", b'{"a":{"b":"a long text that is dropped","b":""}}', "a key twice"),
    ("twice in as few bytes as once with spaces", b'{"a":{"b":1,"b":1},"c":[1]}', "a key twice"),
    ("twice, where escapes make up for what is dropped", b'{"a":{"b":12345,"b":1},"c":"\\u4e2d"}', "a key twice"),
    ("twice, in a text of escapes", b'{"a": {"b": "\\u4e2d", "b": "\\ud83d\\ude00"}}', "a key twice"),
    ("twice, one of them escaped to the bone", b'{"a":{"b":"\\u4e2d","\\u0062":1}}', "a key twice"),
    ("twice, where long characters make up for it", '{"a":{"b":1,"b":1},"c":"中中"}'.encode(), "a key twice"),
    ("NaN", b'{"a":NaN}', "the number NaN"),
    ("Infinity", b'{"a":[Infinity]}', "the number Infinity"),
    ("minus Infinity", b'{"a":{"b":-Infinity}}', "the number -Infinity"),
    ("5,000 digits", b'{"a":' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
    ("minus 5,000 digits", b'{"a":-' + b"9" * 5000 + b"}", "an integer of 5001 digits"),
    ("half a pair", b'{"a":"\\ud800"}', "a lone surrogate"),
    ("the other half", b'{"a":"x\\uDC00y"}', "a lone surrogate"),
    ("halves in the wrong order", b'{"a":"\\ude00\\ud83d"}', "a lone surrogate"),
    ("half a pair as a key", b'{"\\uD800":1}', "a lone surrogate"),
    ("half a pair as a nested key", b'{"a":[{"b":{"\\udfff":1}}]}', "a lone surrogate"),
]


@pytest.mark.parametrize(("body", "why"), [row[1:] for row in UNKEYED], ids=[row[0] for row in UNKEYED])
def test_read_but_never_given_a_key(body: bytes, why: str) -> None:
    assert why in parse(body).unkeyed


APART = [
    ["0", "-0", "0.0", "-0.0", "0e0", "0E0", "0.00", "false", '""', "null", "[]", "{}", '"0"', "1e-999"],
    ["1", "1.0", "true", "1e0", "1E0", "1e+0", "1e-0", "10e-1", '"1"', "[1]", "0.99999999999999999999999"],
    ["1e999", "1e998", "1e9999", "-1e999"],
    [
        "18446744073709551616",
        "18446744073709551617",
        "18446744073709551618",
        "18446744073709551615",
        "1.8446744073709552e19",
    ],
    ["9007199254740992", "9007199254740993", "9007199254740992.0", "9007199254740993.0"],
    ["-9223372036854775808", "-9223372036854775809", "-9223372036854775810"],
    ["9" * 4300, "9" * 4299, "1" + "0" * 4299, "9" * 4299 + "8", "-" + "9" * 4300],
    ["0.1", "0.10", "1e-1", "0.1000000000000000055", "0.1" + "0" * 5000],
    ['"\\u0000"', '"\\u0001"', '""', '"\\\\u0000"', '"0"', '" "'],
    ['"é"', '"e\u0301"', '"É"', '"e"'],
    ['"ﬁ"', '"fi"', '"10⁵"', '"105"', '"\u2063"', '"\u200b"', '""', '"\\u00a0"', '" "'],
    ['"a:b"', '"a\\":b"', '"a\\"", "x":"b"', '"a,b"'],
    ["[1,2]", "[2,1]", "[12]", "[[1],2]", "[1,[2]]", '["1,2"]', "[1,2,null]"],
    ['{"b":1}', '{"b":null}', '{"b":{}}', '{"B":1}', '{"b ":1}', '{"b":1,"c":null}', '[{"b":1}]', '{"":1}'],
]


@pytest.mark.parametrize("values", APART, ids=lambda values: values[0][:30])
def test_values_that_look_alike_are_kept_apart(values: list[str]) -> None:
    forms = {}
    for value in values:
        tree = parse(f'{{"a":{value}}}'.encode())
        assert not tree.unkeyed
        forms[encode(tree.fields)] = value
    assert len(forms) == len(values)


SAME = [
    ['"A"', '"\\u0041"', '"\\u0041"'],
    ['"/"', '"\\/"', '"\\u002f"', '"\\u002F"'],
    ['"\\n"', '"\\u000a"', '"\\u000A"'],
    ['"\\""', '"\\u0022"'],
    ['"😀"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"'],
    ['"你好: \\"x\\":"', '"\\u4f60\\u597d: \\u0022x\\u0022\\u003a"'],
    ['{"b":1,"c":2}', '{"c":2,"b":1}', '{ "c" : 2,\n"b"\t:\r1 }', '{"\\u0062":1,"c":2}'],
    ["[1, 2]", "[1,2]", "[\n1\n,\n2\n]"],
    ["-0", " -0 "],
    ["1.50", " 1.50"],
]


@pytest.mark.parametrize("values", SAME, ids=lambda values: values[0][:30])
def test_spelling_that_means_the_same_is_one_form(values: list[str]) -> None:
    trees = [parse(f'{{"a":{value}}}'.encode()) for value in values]
    assert not any(tree.unkeyed for tree in trees)
    assert len({encode(tree.fields) for tree in trees}) == 1


def test_128_levels_are_read() -> None:
    tree = parse(NESTED.encode())
    assert not tree.unkeyed
    assert encode(tree.fields) == NESTED.encode()


def test_the_depth_is_the_deepest_place_not_the_number_of_brackets() -> None:
    assert not parse(b'{"a":[%b{}]}' % (b'{"b":[]},' * 500), max_depth=5).unkeyed
    assert refused(b'{"a":[%b{"c":[[[]]]}]}' % (b'{"b":[]},' * 500), max_depth=5).code == "too_deep"


def test_brackets_in_strings_are_not_depth() -> None:
    assert parse(json.dumps({"a": "[{" * 5000}).encode()).fields == {"a": "[{" * 5000}


@pytest.mark.parametrize(
    "zero", ["-0", "[-0]", "[-0,0]", '{"b":-0,"c":"\\u4e2d"}', '{"b":-0,"c":" - 0 \\u4e2d \\ud83d\\ude00"}']
)
@pytest.mark.parametrize("space", ["", " "])
def test_minus_zero_is_seen_beside_spaces_and_escapes(zero: str, space: str) -> None:
    plus = zero.replace("-0", "0")
    forms = [encode(parse(f'{{"a":{space}{value}{space}}}'.encode()).fields) for value in (zero, plus)]
    assert forms[0] != forms[1]


def test_a_number_remembers_how_it_was_written() -> None:
    value = parse(b'{"a":1.50}').fields["a"]
    assert value == 1.5
    assert isinstance(value, Lexeme)
    assert repr(value) == "1.50"
    assert parse(b'{"a":7}').fields["a"] == 7


def test_the_tree_is_what_the_standard_library_reads() -> None:
    for text in ('{"a":[1,-2,3.5,true,false,null,"x\\ud83d\\ude00\\n",{"b":{}}],"":""}', '{ "ü" : [ ] }'):
        assert parse(text.encode()).fields == json.loads(text)
