"""The shipped questions (``data/README.md`` says whose they are), and what an application would send for one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec

MODELS = ("gpt-4o-mini", "gpt-5-nano", "gpt-4o")
"""Each question is always asked of the same one, as in an application that uses several. One thinks before it
answers, one has a long prompt. Their prices are random."""

SHORT = "You answer customers of a bank, briefly and kindly."


class Question(msgspec.Struct, frozen=True):
    """A question as a customer put it. ``intent``: what it is about, by the people who labelled it."""

    number: int
    intent: str
    text: str

    @property
    def model(self) -> str:
        return MODELS[self.number % len(MODELS)]


def load() -> list[Question]:
    lines = files("pennyworth.demo").joinpath("data/banking77.tsv").read_text(encoding="utf-8").splitlines()
    return [Question(number, *line.split("\t", 1)) for number, line in enumerate(lines)]


def guide(questions: Sequence[Question]) -> str:
    """A long system prompt, as applications have them: every topic with an example. It is over the 1,024 tokens from
    which providers cache prompts, so that the books must be right about cached input too."""
    examples = {question.intent: question.text for question in questions}
    topics = "\n".join(f"- {intent.replace('_', ' ')}, such as: {text}" for intent, text in sorted(examples.items()))
    return f"{SHORT} Customers ask about these topics:\n{topics}"


def body(question: Question, text: str, guided: str, *, stream: bool) -> dict[str, Any]:
    """The request for a question as typed in ``text``. The model of the long prompt is the last one."""
    system = guided if question.model == MODELS[-1] else SHORT
    fields: dict[str, Any] = {
        "model": question.model,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": text}],
    }
    return {**fields, "stream": True} if stream else fields
