"""The stream of the demo is what it says it is, and the same for the same seed."""

from collections import Counter

import pytest

from pennyworth.decide.normalise import normalise
from pennyworth.demo.questions import MODELS, body, guide, load
from pennyworth.demo.stream import STREAMED, TYPED_DIFFERENTLY, make, wordings
from pennyworth.plan import CacheSpec
from pennyworth.sandbox.tokens import prompt_tokens

QUESTIONS = load()


def test_the_shipped_questions_are_real_different_and_normal():
    assert len(QUESTIONS) == 2002
    assert len({question.text for question in QUESTIONS}) == 2002
    assert Counter(Counter(question.intent for question in QUESTIONS).values()) == {26: 77}
    assert all(normalise(question.text, CacheSpec()) == question.text for question in QUESTIONS)


def test_every_other_typing_has_the_same_normal_form_and_other_bytes():
    for question in QUESTIONS[::50]:
        typed = wordings(question)
        assert len(typed) >= 3
        assert {normalise(text, CacheSpec()) for text in typed} == {question.text}


def test_the_same_seed_makes_the_same_stream_and_another_one_another():
    assert make(QUESTIONS, 200, seed=1) == make(QUESTIONS, 200, seed=1)
    assert make(QUESTIONS, 200, seed=1) != make(QUESTIONS, 200, seed=2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_stream_follows_its_law(seed):
    stream = make(QUESTIONS, 8000, seed)
    counts = Counter(asking.question.number for asking in stream).most_common()
    harmonic = sum(1 / rank for rank in range(1, 2003))
    assert counts[0][1] == pytest.approx(8000 / harmonic, rel=0.15)
    assert sum(number for _, number in counts[:100]) == pytest.approx(
        8000 * sum(1 / rank for rank in range(1, 101)) / harmonic, rel=0.05
    )
    repeats = 8000 - len(counts)
    otherwise = sum(asking.text != asking.question.text for asking in stream)
    assert otherwise / repeats == pytest.approx(TYPED_DIFFERENTLY, abs=0.02)
    assert sum(asking.stream for asking in stream) / 8000 == pytest.approx(STREAMED, abs=0.02)


def test_the_first_asking_of_a_question_is_typed_as_shipped():
    seen = set()
    for asking in make(QUESTIONS, 2000, seed=5):
        if asking.question.number not in seen:
            assert asking.text == asking.question.text
        seen.add(asking.question.number)


def test_one_model_has_a_prompt_that_providers_cache_the_others_a_short_one():
    guided = guide(QUESTIONS)
    for question in QUESTIONS[:3]:
        tokens = len(prompt_tokens(body(question, question.text, guided, stream=False)))
        assert (tokens > 1024) is (question.model == MODELS[-1])
