"""Estimates of tokens: near what providers report for real traffic, near what vocabularies give for other scripts."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.tokens import estimate, estimate_item, estimate_request, estimate_tokens
from pennyworth.request import Caller
from pennyworth.wire import embeddings, json_tree

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "reported_tokens.jsonl").read_text("utf-8").splitlines()
]


def errors(pairs: list[tuple[int, int]]) -> list[float]:
    return [abs(estimate / true - 1) for estimate, true in pairs]


def test_replies_held_out_are_estimated_within_six_per_cent_in_the_middle() -> None:
    found = errors([(estimate_tokens(row["text"]), row["tokens"]) for row in ROWS if "text" in row])
    assert len(found) > 30
    assert median(found) < 0.06
    assert quantiles(found, n=10)[-1] < 0.25


def test_prompts_held_out_are_estimated_within_ten_per_cent_in_the_middle() -> None:
    found = errors([(estimate_request(row), row["tokens"]) for row in ROWS if "messages" in row])
    assert len(found) > 45
    assert median(found) < 0.10


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [
        # Fewest and most by the vocabularies of o200k, Qwen and DeepSeek.
        ("请问怎样才能取消我上个月订购的会员服务并且申请退款？客服电话一直打不通。", 20, 24),
        ("今天北京的天气怎么样，需要带雨伞吗？", 11, 12),
        ("Tôi muốn hủy đơn hàng đã đặt hôm qua và được hoàn tiền, tôi phải làm như thế nào?", 21, 35),
        ("日本で一番高い山は富士山です。標高は三千七百七十六メートルあります。", 22, 28),
        ("환불을 받으려면 어떻게 해야 하나요? 주문 번호를 알려 드릴까요?", 20, 26),
        ("Как отменить подписку и вернуть деньги за последний месяц?", 12, 15),
        ("كيف يمكنني إلغاء طلبي واسترداد أموالي خلال أسبوع؟", 16, 21),
        ("ฉันต้องการยกเลิกคำสั่งซื้อและขอเงินคืนได้อย่างไร", 17, 27),
        ("Können Sie mir bitte erklären, wie ich mein Passwort zurücksetze und mein Konto kündige?", 21, 27),
        (
            "def total(rows: list[dict[str, int]]) -> int:\n    return sum(row['price'] * row['count'] for row in rows if row)\n",
            33,
            34,
        ),
        (
            '{"id": 4711, "items": [{"sku": "AB-1029", "price": 19.99}, {"sku": "CD-3847", "price": 5.0}], "paid": true}',
            49,
            57,
        ),
    ],
)
def test_other_scripts_are_near_what_large_vocabularies_give(text: str, fewest: int, most: int) -> None:
    assert 0.75 * fewest <= estimate_tokens(text) <= 1.25 * most


def test_chinese_is_not_four_characters_a_token() -> None:
    text = "请问怎样才能取消我上个月订购的会员服务并且申请退款？" * 10
    assert estimate_tokens(text) > 2 * len(text) / 4


@given(st.text(max_size=400))
def test_any_text_has_an_estimate_between_one_token_and_its_bytes(text: str) -> None:
    estimate = estimate_tokens(text)
    assert (estimate == 0) == (text == "")
    assert estimate <= max(1, 2 * len(text.encode("utf-8", "surrogatepass")))


@given(st.text(alphabet="abc XYZ 019 ,.{}\n é 漢 ж", min_size=1, max_size=200), st.integers(20_000, 60_000))
def test_a_long_text_is_judged_by_samples_near_what_all_of_it_would_give(text: str, length: int) -> None:
    long = (text * length)[:length]
    whole = sum(estimate_tokens(long[at : at + 8000]) for at in range(0, length, 8000))
    assert 0.85 * whole - 10 <= estimate_tokens(long) <= 1.15 * whole + 10


def test_a_lone_surrogate_is_no_error() -> None:
    assert estimate_tokens("\ud800 half a character") >= 1


def body(*contents: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content} for content in contents], **more}


def test_each_message_and_the_request_cost_their_framing() -> None:
    assert estimate_request(body("")) == 7
    assert estimate_request(body("", "")) == 11


def test_parts_of_text_count_like_one_text() -> None:
    parts = [{"type": "text", "text": "What is in this picture?"}]
    assert estimate_request(body(parts)) == estimate_request(body("What is in this picture?"))


def test_pictures_and_sound_count_as_such_not_as_text() -> None:
    url = "data:image/png;base64," + "A" * 100_000
    picture = estimate_request(body([{"type": "image_url", "image_url": {"url": url}}]))
    small = estimate_request(body([{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]))
    sound = estimate_request(body([{"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "wav"}}]))
    assert (picture, small) == (7 + 765, 7 + 85)
    assert sound < 1000


def test_tools_schemas_and_earlier_tool_calls_are_counted() -> None:
    weather = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "minLength": 1.5}},
                "required": ["city"],
            },
        },
    }
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "function": {"name": "get_weather", "arguments": '{"city":"Hanoi"}'}}],
    }
    plain = estimate_request(body("Weather in Hanoi?"))
    assert estimate_request(body("Weather in Hanoi?", tools=[weather])) > plain + 26
    assert (
        estimate_request(body("Weather in Hanoi?", response_format={"type": "json_schema", "json_schema": weather}))
        > plain + 20
    )
    assert estimate_request({"messages": [*body("Weather in Hanoi?")["messages"], call]}) > plain + 8


def test_a_body_of_any_shape_has_an_estimate() -> None:
    for odd in (
        {},
        {"messages": None},
        {"messages": [1, "x", {"role": "user", "content": [1, {"text": 5}, None]}], "tools": "x"},
    ):
        assert estimate_request(odd) >= 0


def test_numbers_that_remember_how_they_were_written_can_be_counted() -> None:
    tree = json_tree.parse(
        b'{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","x":0.50,"y":1e9,"z":null}]}'
    )
    assert estimate_request(tree.fields) > 26


# Responses.


def test_a_response_is_counted_like_the_chat_that_asks_the_same() -> None:
    turns = [{"role": "user", "content": "What is money?"}, {"role": "assistant", "content": "A claim."}]
    system = {"role": "system", "content": "Be kind and brief."}
    chat = estimate_request({"messages": [system, *turns]})
    assert estimate_request({"instructions": system["content"], "input": turns}) == chat
    parts = [{"role": turn["role"], "content": [{"type": "input_text", "text": turn["content"]}]} for turn in turns]
    assert estimate_request({"instructions": system["content"], "input": parts}) == chat
    assert estimate_request({"input": "hi"}) == estimate_request({"messages": [{"role": "user", "content": "hi"}]})


def test_names_of_items_and_what_is_encrypted_are_no_text() -> None:
    plain = [{"type": "message", "role": "user", "content": "hello"}, {"type": "reasoning", "summary": []}]
    named = [
        {**plain[0], "id": "msg_" + "9" * 60, "status": "completed"},
        {**plain[1], "encrypted_content": "gAAA" * 99},
    ]
    assert estimate_request({"input": plain}) == estimate_request({"input": named})


def test_calls_results_pictures_tools_and_a_shape_for_the_reply_are_counted() -> None:
    said: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
    least = estimate_request({"input": said})
    call = {"type": "function_call", "name": "weather", "arguments": '{"city":"Paris"}', "call_id": "c"}
    result = {"type": "function_call_output", "call_id": "c", "output": "It is twenty-one degrees and sunny."}
    pictures = [
        [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,", "detail": detail}]}]
        for detail in ("low", "auto")
    ]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    more = [
        {"input": [*said, call]},
        {"input": [*said, result]},
        {"input": [*said, {**result, "output": [{"type": "input_text", "text": result["output"]}]}]},
        {"input": said, "tools": [{"type": "function", "name": "f", "parameters": schema}]},
        {"input": said, "text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}},
    ]
    assert all(estimate_request(body) > least for body in more)
    low, full = (estimate_request({"input": picture}) for picture in pictures)
    assert 85 <= low < 100 < full


@given(
    st.recursive(st.one_of(st.none(), st.integers(), st.text(max_size=4)), lambda inner: st.lists(inner, max_size=3))
)
def test_any_input_has_an_estimate(said: Any) -> None:
    assert estimate_request({"input": said, "instructions": said, "text": said}) >= 0


# Embeddings.


def embedding(given: Any) -> int:
    body = json.dumps({"model": "m", "input": given}).encode()
    return estimate(embeddings.read_request(body, {}, Caller("s")))


def test_what_is_embedded_is_counted_item_by_item() -> None:
    texts = ["How do I pay?", "支付", ""]
    assert embedding(texts) == sum(map(estimate_item, texts))
    assert embedding(texts[0]) == estimate_tokens(texts[0]) == estimate_item(texts[0])
    assert embedding([[1, 2, 3], [4]]) == 4
    assert embedding([1, 2, 3]) == 3
    assert estimate_item("") == 1  # a weight must not be nothing
