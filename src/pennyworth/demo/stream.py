"""Which question comes when: a stream of requests with repeats, fixed by its seed before anything is sent.

Popularity follows Zipf's law: the k-th most popular question is asked in proportion to 1/k. Web search logs have
exponents near 1; with 2,002 questions and 3,000 requests about a quarter of the requests are first askings.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import msgspec

from pennyworth.demo.questions import Question

EXPONENT = 1.0
STREAMED = 0.30
TYPED_DIFFERENTLY = 0.10
SYNC = 0.10
"""Shares: of requests that ask for a stream, of repeats with other spaces or widths, of requests by the sync client."""

LAW = (
    f"Zipf, exponent {EXPONENT:g}: the k-th most popular question is asked in proportion to 1/k; "
    f"{100 * TYPED_DIFFERENTLY:.0f} % of repeats typed differently, {100 * STREAMED:.0f} % streamed"
)


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the stream. ``text``: the question as typed. ``sync``: sent by the SDK's blocking client."""

    number: int
    question: Question
    text: str
    stream: bool
    sync: bool


def make(questions: Sequence[Question], requests: int, seed: int) -> list[Asking]:
    """The stream. The same questions, number and seed make the same one."""
    chance = random.Random(seed)
    ranked = list(questions)
    chance.shuffle(ranked)
    weights = list(itertools.accumulate(1 / rank**EXPONENT for rank in range(1, len(ranked) + 1)))
    seen: set[int] = set()
    stream = []
    for number, question in enumerate(chance.choices(ranked, cum_weights=weights, k=requests)):
        repeat = question.number in seen
        seen.add(question.number)
        other = repeat and chance.random() < TYPED_DIFFERENTLY
        stream.append(
            Asking(
                number=number,
                question=question,
                text=chance.choice(TYPINGS)(question.text) if other else question.text,
                stream=chance.random() < STREAMED,
                sync=chance.random() < SYNC,
            )
        )
    return stream


def wordings(question: Question) -> list[str]:
    """Every way in which the stream may type a question. All of them have one normal form."""
    return list(dict.fromkeys([question.text, *(typing(question.text) for typing in TYPINGS)]))


def _double_space(text: str) -> str:
    return text.replace(" ", "  ", 1)


def _no_break_space(text: str) -> str:
    return text.replace(" ", "\u00a0", 1)


def _full_width(text: str) -> str:
    """As a Chinese keyboard types a question mark."""
    return f"{text[:-1]}？" if text.endswith("?") else f"{text} "


def _trailing_space(text: str) -> str:
    return f"{text} "


TYPINGS: tuple[Callable[[str], str], ...] = (_double_space, _no_break_space, _full_width, _trailing_space)
