"""Embeddings replies: recorded, taken apart and put together again; recorded traffic among them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.money import Usage
from pennyworth.outcome import Outcome
from pennyworth.request import Caller
from pennyworth.wire import embeddings
from pennyworth.wire.embeddings import reply
from tests.wire.recorded import WHOLE


def record(raw: bytes, *, status: int = 200, expected: int = 1) -> Outcome:
    recorder = embeddings.recorder()
    if status == 200:
        recorder.feed_json(raw)
    return recorder.outcome(status=status, raw=raw, streamed=False, ended=True, expected=expected)


NUMBERS = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=4)
TEXTS = st.text(st.sampled_from('abAB01+/=]},"model:'), min_size=1, max_size=12)
NAMES = st.text(max_size=6) | st.just('],"model":"x"')
VECTORS = st.lists(NUMBERS | TEXTS, min_size=1, max_size=5)


def written(vectors: list[Any], model: str, order: list[int], more: dict[str, Any], *, indent: int | None) -> bytes:
    data = [{"object": "embedding", "index": place, "embedding": vectors[place], **more} for place in order]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return json.dumps({"object": "list", "data": data, "model": model, "usage": usage}, indent=indent).encode()


@given(
    VECTORS, NAMES, st.data(), st.sampled_from([None, 2]), st.sampled_from([{}, {"z": [{"index": 3}, '],"model":']}])
)
def test_what_is_taken_apart_and_put_together_is_the_same(
    vectors: list[Any], model: str, data: st.DataObject, indent: int | None, more: dict[str, Any]
) -> None:
    order = data.draw(st.permutations(range(len(vectors))))
    raw = written(vectors, model, order, more, indent=indent)
    assert record(raw, expected=len(vectors)).ending == "complete"
    parts = list(reply.parts(raw))
    kept = [reply.alone(part, 3) for part in parts]
    for place, one in enumerate(kept):
        alone = json.loads(one)
        assert record(one).ending == "complete"
        assert alone["data"] == [{"object": "embedding", "index": 0, "embedding": vectors[place], **more}]
        assert (alone["model"], alone["usage"]) == (model, {"prompt_tokens": 3, "total_tokens": 3})
        assert reply.model_of(one) == model
    assert [reply.part_of(one) for one in kept] == parts
    whole = json.loads(reply.composed(parts, model, 7))
    assert whole == json.loads(written(vectors, model, list(range(len(vectors))), more, indent=None))


@given(NUMBERS, NAMES)
def test_a_reply_of_one_is_kept_as_the_provider_wrote_it(vector: list[float], model: str) -> None:
    raw = written([vector], model, [0], {}, indent=1)
    (part,) = reply.parts(raw)
    assert reply.alone(part, 7, raw) == raw
    assert reply.part_of(raw) == part
    assert reply.model_of(raw) == model


@pytest.mark.parametrize(
    "body", ['{"object":"list","data":[{"index":0,"embedding":[1]},{"embedding":[2],"index":1}],%s}']
)
def test_a_providers_reply_that_looks_like_ours_is_read_to_its_end(body: str) -> None:
    raw = (body % '"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}').encode()
    assert len(list(reply.parts(raw))) == 2
    one = b'{"object":"list","data":[{"index":0,"embedding":[1]}],"more":[],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}'
    (part,) = reply.parts(one)
    assert reply.part_of(reply.alone(part, 1, one)) == part


def test_numbers_keep_their_lexemes() -> None:
    raw = b'{"data":[{"embedding":[1E-3, -0.0,0.10 ],"index":0}],"model":"m"}'
    (part,) = reply.parts(raw)
    assert b"[1E-3, -0.0,0.10 ]" in reply.alone(part, 1)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "total_tokens": 3}, Usage(input=3)),
        ({"prompt_tokens": 3, "total_tokens": 3, "completion_tokens": 0}, Usage(input=3)),
        ({"total_tokens": 12}, Usage(input=12)),
        ({"total_tokens": -12}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_usage_is_all_input(usage: Any, expected: Usage | None) -> None:
    raw = json.dumps({"data": [{"index": 0, "embedding": [1]}], "usage": usage}).encode()
    assert record(raw).usage == expected


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("too few", b'{"data":[{"index":0,"embedding":[1]}]}', 2),
        ("too many", b'{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}', 1),
        ("an index twice", b'{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}', 2),
        ("from 1", b'{"data":[{"index":1,"embedding":[1]}]}', 1),
        ("no index", b'{"data":[{"embedding":[1]}]}', 1),
        ("an empty list", b'{"data":[{"index":0,"embedding":[   ]}]}', 1),
        ("many spaces", b'{"data":[{"index":0,"embedding":[' + b" " * 40 + b"]}]}", 1),
        ("an empty text", b'{"data":[{"index":0,"embedding":""}]}', 1),
        ("null", b'{"data":[{"index":0,"embedding":null}]}', 1),
        ("an object", b'{"data":[{"index":0,"embedding":{"float":[1]}}]}', 1),
        ("NaN", b'{"data":[{"index":0,"embedding":[NaN]}]}', 1),
        ("no JSON", b"<html>", 1),
        ("cut", b'{"data":[{"index":0,"embedding":[1', 1),
        ("no UTF-8", b'{"data":[{"index":0,"embedding":[1]}],"x":"\xff"}', 1),
        ("nothing", b"", 1),
    ],
)
def test_what_is_no_answer_is_not_complete(name: str, raw: bytes, expected: int) -> None:
    outcome = record(raw, expected=expected)
    assert outcome.ending == "cut", name
    assert outcome.fault


def test_an_error_within_a_success_is_an_error() -> None:
    outcome = record(b'{"data":[{"index":0,"embedding":[1]}],"error":{"message":"m"}}')
    assert (outcome.ending, outcome.dialect) == ("error", "embeddings")


def test_events_are_no_embeddings() -> None:
    recorder = embeddings.recorder()
    recorder.feed_all([b"data: {}\n\n"])
    assert recorder.outcome(status=200, raw=b"", streamed=True, ended=True, expected=1).ending == "cut"


def recorded() -> list[dict[str, Any]]:
    if not WHOLE.exists():
        return []
    lines = gzip.decompress(WHOLE.read_bytes()).decode().splitlines()
    return [row for row in map(json.loads, lines) if row["url"].endswith("/embeddings")]


@pytest.mark.skipif(not WHOLE.exists(), reason="the whole collection of recorded traffic is not on this machine")
def test_every_recorded_row_is_read_taken_apart_and_put_together_again() -> None:
    found = recorded()
    assert len(found) == 9
    for row in found:
        request = embeddings.read_request(json.dumps(row["request_body"]).encode(), {}, Caller("local"))
        raw = json.dumps(row["response_body"]).encode()
        outcome = record(raw, status=row["status"], expected=request.n)
        if row["status"] != 200:
            assert outcome.ending == "error", row["id"]
            continue
        said = row["response_body"]
        assert (outcome.ending, outcome.served_by, outcome.fault) == ("complete", said["model"], ""), row["id"]
        assert outcome.usage == Usage(input=said["usage"]["total_tokens"]), row["id"]
        parts = list(reply.parts(raw))
        whole = json.loads(reply.composed(parts, outcome.served_by, outcome.usage.input))
        assert whole["data"] == said["data"], row["id"]
        assert whole["model"] == said["model"]
        assert said["usage"].items() <= {**whole["usage"], "completion_tokens": 0}.items(), row["id"]
