"""``pennyworth eval wire``: what it requires holds for what is shipped and for the whole collection, and it says what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pennyworth.cli.main import run
from pennyworth.eval.checks import Settings
from pennyworth.eval.rows import rows
from pennyworth.eval.sample import SAMPLE
from pennyworth.eval.wire import figures
from pennyworth.prices.genai import GenaiPrices
from pennyworth.wire.dialects import CODECS
from pennyworth.wire.speakers import SPEAKERS
from tests.eval.conftest import line
from tests.wire.recorded import WHOLE

ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
SAID = {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [CHOICE], "usage": USAGE}


@pytest.mark.parametrize("folder", [SAMPLE, WHOLE.parent], ids=["shipped", "whole"])
def test_all_that_is_required_holds(folder: Path) -> None:
    if not folder.exists():
        pytest.skip("the whole collection of recorded traffic is not on this machine")
    found = {figure.measure: figure for figure in figures("x", rows(folder), Settings(GenaiPrices()))}
    assert {name: figure.detail for name, figure in found.items() if figure.short} == {}
    for dialect in CODECS:
        for measure in (
            "read",
            "request_rebuilt",
            "reply_rebuilt",
            "broken_never_complete",
            "usage_right",
            "kept_though_never",
        ):
            assert found[f"{dialect}.{measure}"].n, (dialect, measure)
    for dialect in CODECS.keys() & SPEAKERS.keys():
        assert found[f"{dialect}.cuts_equal"].n, dialect
        assert found[f"{dialect}.stream_equal_from_{'chat' if dialect != 'chat' else 'messages'}"].n, dialect
    assert found["rest.rows"].n


def test_the_command_prints_a_table_and_ends_well_where_all_holds(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "wire", "--data", str(folder(line("chat", ASK, SAID)))]) == 0
    assert "chat.usage_right" in capsys.readouterr().out


def test_each_measure_is_one_object_a_line(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    there = str(folder(line("chat", ASK, SAID)))
    assert run(["eval", "wire", "--data", there, "--json"]) == 0
    found = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert all(one.keys() == {"eval", "data", "measure", "value", "n", "detail"} for one in found)
    assert {(one["eval"], one["data"]) for one in found} == {("wire", there)}
    measured = {one["measure"]: one for one in found}
    assert measured["chat.usage_right"] == {
        "eval": "wire", "data": there, "measure": "chat.usage_right", "value": 1.0, "n": 1, "detail": {"required": 1.0},
    }  # fmt: skip
    assert measured["chat.priced"]["value"] == 1.0


def test_what_falls_short_is_named_by_its_row_and_the_command_fails(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = line("chat", {"model": "gpt-4o"}, SAID, id="row-7")
    assert run(["eval", "wire", "--data", str(folder(line("chat", ASK, SAID), bad))]) == 1
    ended = capsys.readouterr()
    assert "chat.read falls short: row-7" in ended.err
    assert "SHORT" in ended.out


def test_what_has_no_words_elsewhere_is_counted_by_its_field(folder: Any) -> None:
    there = folder(line("chat", {**ASK, "logprobs": True}, SAID))
    found = {figure.measure: figure for figure in figures("x", rows(there), Settings(GenaiPrices()))}
    assert found["chat.request_into_messages"].value == 0.0
    assert found["chat.request_into_messages"].detail["reasons"] == {"logprobs": 1}
    assert not found["chat.request_into_messages"].short


def test_a_check_that_falls_over_is_a_row_that_failed(folder: Any) -> None:
    broken = {
        **SAID,
        "choices": [{**CHOICE, "message": {"role": "assistant", "content": "a"}, "logprobs": 3}],
        "usage": {"prompt_tokens": "many"},
    }
    found = {
        figure.measure: figure
        for figure in figures("x", rows(folder(line("chat", ASK, broken))), Settings(GenaiPrices()))
    }
    assert found["chat.usage_right"].short


def test_other_traffic_is_counted_and_nothing_more(folder: Any) -> None:
    other = line("chat", ASK, SAID, url="https://api.cohere.com/v2/chat", provider="cohere")
    found = {figure.measure: figure for figure in figures("x", rows(folder(other)), Settings(GenaiPrices()))}
    assert found["rest.rows"].detail == {"providers": {"cohere": 1}}
    assert found["chat.rows"].n == 0


def test_without_data_the_command_says_what_to_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "wire", "--data", str(tmp_path)]) == 2
    assert "Name a folder" in capsys.readouterr().err
