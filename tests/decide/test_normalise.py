"""What typing may vary without making another question, and what it may not."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.normalise import normalise, normalise_messages
from pennyworth.plan import CacheSpec

SPEC = CacheSpec()
ALL = CacheSpec(fold_case=True, fold_end_punctuation=True)
SPECS = [CacheSpec(fold_case=case, fold_end_punctuation=end) for case in (False, True) for end in (False, True)]

awkward = st.sampled_from(' \r\n\t\u00a0\u202f\u3000ＡＢ１２！？＂｀。.?!…`"\u0301\u0327éÅ\u212bΣİßǅ⁵²½ﬁ①')
wide = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
numbers = st.text(
    alphabet=st.characters(categories=["Nd", "No", "Nl", "Sm", "Sc"], exclude_characters=wide), max_size=20
)
texts = st.text(alphabet=st.one_of(st.characters(), awkward), max_size=30)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("What is the capital of France?", "What is the capital of France?"),
        ("  What  is   the capital? ", "What is the capital?"),
        ("what\u00a0is\u00a0this", "what is this"),
        ("10\u202f000 km", "10 000 km"),
        ("ＡＢＣ　１２３！？", "ABC 123!?"),
        ("价格是多少？", "价格是多少?"),
        ("cafe\u0301", "café"),
        ("\u212b", "\u00c5"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("def f():\r\n    return  1", "def f():\n    return  1"),
        ("  indented\n    more", "  indented\n    more"),
        ("What does `a  b` print?", "What does `a  b` print?"),
        ('How long is "a  b"?', 'How long is "a  b"?'),
        ("a\tb", "a\tb"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_a_question_is_the_same_however_it_was_typed(typed: str, means: str) -> None:
    assert normalise(typed, SPEC) == means


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10⁵", "105"),
        ("x²", "x2"),
        ("½", "1/2"),
        ("①", "1"),
        ("ﬁ", "fi"),
        ("Is this OK?", "is this ok?"),
        ("Really?", "Really"),
        ("Really?", "Really!"),
        ("a b", "ab"),
        ("a\nb", "a b"),
        ("ゕ", "か"),
        ("é", "e"),
        ("`a  b`", "`a b`"),
    ],
)
def test_what_may_be_another_question_stays_another(one: str, other: str) -> None:
    assert normalise(one, SPEC) != normalise(other, SPEC)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("Is this OK?", "is this ok"),
        ("这是什么？", "这是什么"),
        ("这是什么。", "这是什么"),
        ("Really ?! ", "really"),
        ("wait…", "wait"),
        ("???", "???"),
        ("Straße", "straße"),
        ("print(X)\nprint(y).", "print(X)\nprint(y)."),
        ("What is `X`?", "What is `X`?"),
    ],
)
def test_case_and_closing_punctuation_fold_where_the_operator_says_so(typed: str, means: str) -> None:
    assert normalise(typed, ALL) == means


@given(texts, st.sampled_from(SPECS))
def test_normalising_twice_changes_nothing_more(text: str, spec: CacheSpec) -> None:
    once = normalise(text, spec)
    assert normalise(once, spec) == once


@given(texts)
def test_composed_and_decomposed_text_are_the_same_question(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text), SPEC) == normalise(text, SPEC)


@given(numbers)
def test_digits_superscripts_and_signs_change_no_more_than_composition_does(text: str) -> None:
    assert normalise(text, SPEC) == unicodedata.normalize("NFC", text)


@given(texts)
def test_no_letter_or_digit_is_lost_or_made(text: str) -> None:
    def bare(shown: str) -> str:
        kept = "".join(ch for ch in unicodedata.normalize("NFKC", shown) if not ch.isspace())
        return unicodedata.normalize("NFKC", kept)

    assert bare(normalise(text, SPEC)) == bare(text)


def test_only_what_people_write_is_normalised() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"q":  "a"}'}}
    body = {
        "model": "m  m",
        "stop": "  ",
        "messages": [
            {"role": "system", "content": " Be  brief. ", "name": " n "},
            {"role": "developer", "content": "x  y"},
            {"role": "user", "content": [{"type": "text", "text": "a  b"}, {"type": "image_url", "image_url": {"url": "data:  "}}]},
            {"role": "assistant", "content": "c  d ", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "e  f"},
            {"role": "user", "content": "g  h"},
            {"role": "assistant", "content": "Sure: "},
        ],
    }  # fmt: skip
    folded = normalise_messages(body, SPEC)
    assert [message["content"] for message in folded["messages"]] == [
        "Be brief.",
        "x y",
        [{"type": "text", "text": "a b"}, {"type": "image_url", "image_url": {"url": "data:  "}}],
        "c  d ",
        "e  f",
        "g h",
        "Sure: ",
    ]
    assert folded["messages"][0]["name"] == " n "
    assert folded["messages"][3] is body["messages"][3]
    assert (folded["model"], folded["stop"]) == ("m  m", "  ")
    assert body["messages"][0]["content"] == " Be  brief. "


@pytest.mark.parametrize("content", ["What is it?", "价格", [{"type": "text", "text": "这是什么"}], None, 5, {}])
def test_a_body_with_nothing_to_fold_comes_back_as_it_is(content: Any) -> None:
    body = {"messages": [{"role": "user", "content": content}]}
    assert normalise_messages(body, SPEC) is body


@pytest.mark.parametrize("messages", [None, "x", 5, {}, [None, 5, "x", []], [{"role": ["user"], "content": "a  b"}]])
def test_messages_of_any_shape_come_back_unharmed(messages: Any) -> None:
    body = {"messages": messages}
    assert normalise_messages(body, SPEC) is body
