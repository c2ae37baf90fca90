"""The provider's usage object, in the words of each of them."""

from __future__ import annotations

import pytest

from pennyworth.money import Usage
from pennyworth.wire.chat.usage import reached_out, read_usage

READ = [
    ("OpenAI", b'{"prompt_tokens":9,"completion_tokens":10,"total_tokens":19}', Usage(input=9, output=10)),
    (
        "OpenAI with details",
        b'{"prompt_tokens":1150,"completion_tokens":307,"total_tokens":1457,"prompt_tokens_details":{"cached_tokens":1024,'
        b'"audio_tokens":3},"completion_tokens_details":{"reasoning_tokens":64,"audio_tokens":5,"accepted_prediction_tokens":0}}',
        Usage(input=1150, output=307, cached=1024, reasoning=64, input_audio=3, output_audio=5),
    ),
    ("an embedding's", b'{"prompt_tokens":9,"total_tokens":9}', Usage(input=9)),
    (
        "OpenRouter, with tokens written to the cache",
        b'{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":20,"cache_write_tokens":70}}',
        Usage(input=100, output=1, cached=20, cache_write=70),
    ),
    (
        "DeepSeek",
        b'{"prompt_tokens":563,"completion_tokens":116,"prompt_cache_hit_tokens":512,"prompt_cache_miss_tokens":51}',
        Usage(input=563, output=116, cached=512),
    ),
    ("Moonshot", b'{"prompt_tokens":90,"completion_tokens":1,"cached_tokens":80}', Usage(input=90, output=1, cached=80)),
    ("nulls", b'{"prompt_tokens":9,"completion_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null}}', Usage(input=9)),
    (
        "xAI, which counts reasoning beside the completion",
        b'{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}',
        Usage(input=32, output=103, reasoning=94),
    ),
    ("Gemini, which does not say that it thought", b'{"prompt_tokens":20,"completion_tokens":424,"total_tokens":1016}', Usage(input=20, output=996)),
    (
        "a prompt counted without what came from the cache",
        b'{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"prompt_tokens_details":{"cached_tokens":100}}',
        Usage(input=110, output=5, cached=100),
    ),
    ("a total smaller than its parts", b'{"prompt_tokens":10,"completion_tokens":5,"total_tokens":3}', Usage(input=10, output=5)),
    (
        "what OpenRouter writes to the cache and reads from it in one go",
        b'{"prompt_tokens":2168,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":2161,"cache_write_tokens":2161}}',
        Usage(input=2168, output=100, cached=2161, cache_write=2161),
    ),
    ("unknown fields", b'{"prompt_tokens":1,"completion_tokens":2,"cost":0.00012,"queue_time":1e-3,"x":{"y":[]}}', Usage(input=1, output=2)),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "usage"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_read(raw: bytes, usage: Usage) -> None:
    assert read_usage(raw) == usage


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"{}", b"[]", b"7", b'{"prompt_tokens":null}', b'{"prompt_tokens":"9"}', b'{"prompt_tokens":1.5}', b'{"prompt_tokens":9',
        b'{"prompt_tokens":-1,"completion_tokens":1}', b'{"prompt_tokens":1,"completion_tokens":-1}', b'{"prompt_tokens":NaN}', b"\xff",
        b'{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}',
        b'{"prompt_tokens":1,"prompt_tokens_details":{"audio_tokens":-2}}',
        b'{"prompt_tokens":1000000000000000000000}', b'{"prompt_tokens":1,"completion_tokens":99999999999}',
    ],
)  # fmt: skip
def test_what_cannot_be_believed_has_to_be_estimated(raw: bytes) -> None:
    assert read_usage(raw) is None


@pytest.mark.parametrize(
    ("raw", "reached"),
    [
        (b'{"server_tool_use_details":{"tool_calls_executed":1,"tool_calls_requested":1}}', True),
        (b'{"server_tool_use":{"web_search_requests":2}}', True),
        (b'{"num_sources_used":3}', True),
        (b'{"num_search_queries":1}', True),
        (b'{"server_tool_use_details":{"tool_calls_executed":0}}', False),
        (b'{"num_sources_used":0,"server_tool_use":null}', False),
        (b'{"prompt_tokens":1}', False),
        (b'{"num_sources_used":"x"}', False),
        (b"null", False),
    ],
)
def test_searches_and_tools_of_the_provider_show_in_the_usage(raw: bytes, reached: bool) -> None:
    assert reached_out(raw) is reached
