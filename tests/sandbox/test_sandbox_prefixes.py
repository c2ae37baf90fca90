from __future__ import annotations

import pytest

from pennyworth.sandbox.prefixes import PromptCache


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def words(n: int, mark: str = "w") -> list[str]:
    return [f"{mark}{i}" for i in range(n)]


@pytest.mark.parametrize(
    ("length", "cached"),
    [(10, 0), (1023, 0), (1024, 1024), (1151, 1024), (1152, 1152), (2006, 1920), (5000, 4992)],
)
def test_the_same_prompt_again_is_cached_in_steps_of_128_from_1024_on(length, cached):
    prompts = PromptCache(1000, 600.0, Clock())
    assert prompts.cached_tokens("t", words(length)) == 0
    assert prompts.cached_tokens("t", words(length)) == cached


def test_a_longer_prompt_that_begins_the_same_is_cached_as_far_as_it_is_the_same():
    prompts = PromptCache(1000, 600.0, Clock())
    prompts.cached_tokens("t", words(1300))
    assert prompts.cached_tokens("t", words(1200) + words(2000, "x")) == 1152
    assert prompts.cached_tokens("t", ["other", *words(3000)]) == 0


def test_owners_never_share_a_prefix():
    prompts = PromptCache(1000, 600.0, Clock())
    prompts.cached_tokens("t1", words(2048))
    assert prompts.cached_tokens("t2", words(2048)) == 0


def test_a_prefix_is_forgotten_after_its_idle_time_and_use_keeps_it():
    clock = Clock()
    prompts = PromptCache(1000, 600.0, clock)
    prompts.cached_tokens("t", words(1024))
    clock.now += 500
    assert prompts.cached_tokens("t", words(1024)) == 1024
    clock.now += 500
    assert prompts.cached_tokens("t", words(1024)) == 1024
    clock.now += 600
    assert prompts.cached_tokens("t", words(1024)) == 0


def test_it_never_knows_more_prefixes_than_its_capacity():
    prompts = PromptCache(50, 600.0, Clock())
    for i in range(100):
        prompts.cached_tokens("t", words(1500, f"p{i}-"))
    assert len(prompts) == 50
