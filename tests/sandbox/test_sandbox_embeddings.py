"""The sandbox's vectors: whose text they are of can be told, and the bill agrees with the usage."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from pennyworth.sandbox import Rule, SandboxServer, check_vector, expected_vector

KEY = "sk-a"
MODEL = "text-embedding-3-small"


@pytest.fixture(scope="module")
def client(running: SandboxServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=running.base_url, api_key=KEY, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
@pytest.mark.parametrize("given", ["one", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
@pytest.mark.parametrize("size", [{}, {"dimensions": 7}])
def test_every_vector_is_that_of_its_item(
    sandbox: SandboxServer, client: OpenAI, given: Any, encoding: dict[str, Any], size: dict[str, Any]
) -> None:
    body = {"model": MODEL, "input": given, **size}
    reply = client.embeddings.create(**body, **encoding)
    items = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    assert [one.index for one in reply.data] == list(range(len(items)))
    for item, one in zip(items, reply.data, strict=True):
        numbers: Any = one.embedding
        assert check_vector(numbers, item, body, KEY) is None
        if not isinstance(numbers, str):
            assert len(numbers) == size.get("dimensions", 1536)
            assert math.isclose(math.hypot(*numbers), 1.0, rel_tol=1e-5)
    assert reply.model == MODEL
    totals = sandbox.control.totals()[MODEL]
    assert reply.usage.prompt_tokens == reply.usage.total_tokens == totals.input
    assert totals.amount_pico == totals.input * 20_000


@pytest.mark.parametrize(
    ("item", "body", "key"),
    [
        ("other", {"model": MODEL}, KEY),
        ("text", {"model": "text-embedding-3-large", "dimensions": 8}, KEY),
        ("text", {"model": MODEL, "dimensions": 8, "input_type": "query"}, KEY),
        ("text", {"model": MODEL, "dimensions": 8}, "sk-b"),
        ("text", {"model": MODEL, "dimensions": 9}, KEY),
        ([1], {"model": MODEL, "dimensions": 8}, KEY),
    ],
)
def test_the_vector_of_anything_else_is_found_out(item: Any, body: dict[str, Any], key: str) -> None:
    vector = expected_vector("text", {"model": MODEL, "dimensions": 8}, KEY)
    assert check_vector(vector, "text", {"model": MODEL, "dimensions": 8, "input": "x", "user": "u"}, KEY) is None
    assert check_vector(vector, item, body, key) is not None
    packed = base64.b64encode(struct.pack("<8f", *vector)).decode()
    assert check_vector(packed, "text", {"model": MODEL, "dimensions": 8}, KEY) is None
    assert (
        check_vector(base64.b64encode(bytes(32)).decode(), "text", {"model": MODEL, "dimensions": 8}, KEY) is not None
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 1537}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_what_openai_refuses_is_refused_and_free(
    sandbox: SandboxServer, client: OpenAI, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/embeddings", body={"model": MODEL, **body}, cast_to=object)
    assert json.loads(refused.value.response.text)["error"]["param"] == param
    assert all(line.amount_pico == 0 for line in sandbox.control.bill())


def test_a_model_that_is_not_there_is_404(sandbox: SandboxServer, client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="none", input="a")


def test_it_fails_as_it_is_told_to(sandbox: SandboxServer, client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model=MODEL, input=["a", "FAULT:status=503"])
    sandbox.control.script([Rule(kind="body_cut", at_byte=40)])
    with pytest.raises(openai.APIConnectionError):
        client.embeddings.create(model=MODEL, input="a")
    assert [(line.fault, line.amount_pico) for line in sandbox.control.bill()] == [("status", 0), ("body_cut", 0)]
