"""Does a provider count as it used to, and is it the model that was asked? What a reseller says of itself, held against
what we can see.

Our count of tokens is an estimate without the model's vocabulary (``decide.tokens``), so it is never held against a
provider as it stands. The first replies of a target fit a straight line between the two counts, a preamble of the provider's
own included; later ones are held against that line. What a target did from its first reply on is in the line itself: only a
line far from any known vocabulary is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pennyworth.money import Usage

FIT = 32
"""Replies that fit a target's line."""

_FADE = 0.95
"""What a reply weighs after each later one: about the last twenty are held against the line."""

_LEAST = 10.0
"""Their weight before anything is said: fourteen replies."""

_BAND = 1.25
_ODD = 1.6
"""So many tokens for each of ours, from the first reply on, is more than any vocabulary we have measured (0.8 to 1.2)."""

_ALIKE = 0.7
"""Answers: the part of their spread that the line must explain (r²). Below it, the model thinks without saying so."""

_SHORTEST = 20
_LARGEST_BODY = 16 * 1024


class Line(msgspec.Struct):
    """Sums over pairs of counts: (ours, theirs). Sums of several workers add up.

    Attributes:
        fit_*: of the first replies, for the line. ``recent*``: of later ones, fading.
    """

    fits: float = 0.0
    fit_ours: float = 0.0
    fit_theirs: float = 0.0
    fit_ours2: float = 0.0
    fit_both: float = 0.0
    fit_theirs2: float = 0.0
    recent: float = 0.0
    recent_ours: float = 0.0
    recent_theirs: float = 0.0

    def add(self, ours: int, theirs: int) -> None:
        if self.fits < FIT:
            self.fits += 1
            self.fit_ours += ours
            self.fit_theirs += theirs
            self.fit_ours2 += ours * ours
            self.fit_both += ours * theirs
            self.fit_theirs2 += theirs * theirs
        else:
            self.recent = self.recent * _FADE + 1
            self.recent_ours = self.recent_ours * _FADE + ours
            self.recent_theirs = self.recent_theirs * _FADE + theirs

    def merge(self, other: Line) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def a_token(self) -> float:
        """Tokens of theirs for each of ours while the line was fitted."""
        return self.fit_theirs / self.fit_ours if self.fit_ours else 1.0

    @property
    def ratio(self) -> float:
        """Recent tokens of theirs over what the line expects; 1 while there are too few to say."""
        if self.recent < _LEAST or not self.fit_ours:
            return 1.0
        slope, base = self._line()
        expected = slope * self.recent_ours + base * self.recent
        return self.recent_theirs / expected if expected > 0 else 1.0

    @property
    def alike(self) -> float:
        """How much of the spread of their counts ours explains, 0 to 1; 1 where there is no spread."""
        ours, theirs, both = self._spread()
        return both * both / (ours * theirs) if ours > 0 and theirs > 0 else float(theirs <= 0)

    def _line(self) -> tuple[float, float]:
        """Tokens a token, and a request. Never far from the mean: few replies of one length say little of a slope."""
        ours, _, both = self._spread()
        mean = self.a_token
        slope = min(max(both / ours, 0.6 * mean), mean) if ours > 0 else mean
        return slope, (self.fit_theirs - slope * self.fit_ours) / self.fits

    def _spread(self) -> tuple[float, float, float]:
        n = self.fits or 1.0
        return (
            self.fit_ours2 - self.fit_ours**2 / n,
            self.fit_theirs2 - self.fit_theirs**2 / n,
            self.fit_both - self.fit_ours * self.fit_theirs / n,
        )


class Tally(msgspec.Struct):
    """What is known of one target's word.

    Attributes:
        replies: how many were looked at for their model. ``wrong``: those by another one; ``lately``: fading.
        said: the other model it named last.
    """

    replies: int = 0
    wrong: int = 0
    lately: float = 0.0
    said: str = ""
    prompt: Line = msgspec.field(default_factory=Line)
    answer: Line = msgspec.field(default_factory=Line)

    def answered_by(self, other: str) -> None:
        """``other``: the model that answered instead of the one asked; "" if it was that one."""
        self.replies += 1
        self.lately *= _FADE
        if other:
            self.wrong += 1
            self.lately += 1
            self.said = other

    def merge(self, other: Tally) -> None:
        self.replies += other.replies
        self.wrong += other.wrong
        self.lately += other.lately
        self.said = other.said or self.said
        self.prompt.merge(other.prompt)
        self.answer.merge(other.answer)


def alarms(tally: Tally) -> tuple[str, ...]:
    """What is odd about a target, in words; nothing where nothing is, or where nothing can be said yet."""
    found = []
    if tally.lately >= _FADE**20:
        found.append(f"{tally.wrong} of {tally.replies} replies were by another model, last {tally.said}")
    return (*found, *miscounts(tally))


def miscounts(tally: Tally) -> tuple[str, ...]:
    """The alarms that are about tokens."""
    found = _counting(tally.prompt, "input")
    if tally.answer.alike >= _ALIKE:
        found += _counting(tally.answer, "output")
    return tuple(found)


def _counting(line: Line, kind: str) -> list[str]:
    if line.fits < FIT:
        return []
    if line.ratio > _BAND:
        return [f"it counts {line.ratio:.2f} times the {kind} tokens it used to for the same text"]
    if line.a_token > _ODD:
        return [f"it counts {line.a_token:.2f} {kind} tokens where we count one, or adds a text of its own"]
    return []


def countable(fields: Mapping[str, Any], body_size: int) -> bool:
    """Whether our count of the prompt may be held against theirs: messages of text alone, and not so many that we sample."""
    if body_size > _LARGEST_BODY or not _UNCOUNTED.isdisjoint(fields):
        return False
    messages = fields.get("messages")
    return isinstance(messages, list) and all(map(_plain, messages))


_UNCOUNTED = frozenset(
    ("tools", "functions", "response_format", "audio", "web_search_options", "prediction", "plugins", "output_config")
)


def _plain(message: object) -> bool:
    """Only a role and a text: calls of tools, names and images are counted by each provider in its own way."""
    if not isinstance(message, Mapping) or not {"role", "content"}.issuperset(message):
        return False
    content = message.get("content")
    if isinstance(content, str):
        return True
    return isinstance(content, list) and all(
        isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content
    )


def enough(ours: int) -> bool:
    """Of very short texts the framing is most of the count."""
    return ours >= _SHORTEST


def output_shown(usage: Usage) -> int:
    """Tokens of the answer that we could see, 0 where some were not for us."""
    return 0 if usage.reasoning or usage.output_audio else usage.output
