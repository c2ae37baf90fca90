"""Looks at what providers say of their own replies: which model answered, and how many tokens it took.

The model is looked at each time, by a remembered verdict; tokens are counted for the first replies of a target and for
one in 32 after them, so that it costs next to nothing.
"""

from __future__ import annotations

from pennyworth.decide import drift, tokens
from pennyworth.decide.model_names import other_model
from pennyworth.engine.counters import Counters
from pennyworth.engine.passage import Passage
from pennyworth.outcome import Outcome
from pennyworth.plan import Target
from pennyworth.wire.chat.said import text_of

_AT_FIRST = 2 * drift.FIT
_EVERY = 32
_LONGEST_REPLY = 64 * 1024
"""Of 250 events; to put them together takes 0.7 ms, in which nobody else is served."""


class Watch:
    """``look`` at each reply that came with a usage; what it finds is folded into the counters."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def look(self, p: Passage, target: Target, outcome: Outcome) -> None:
        tally = self._counters.drift_of(target.name)
        other = outcome.served_by if other_model(target.model, outcome.served_by) else ""
        tally.answered_by(other)
        if other:
            p.notes.append(f"drift: {target.model} was asked, {other[:80]} answered")
        if tally.replies <= _AT_FIRST or tally.replies % _EVERY == 0:
            _count(tally, p, outcome)
            p.notes += [f"drift: {target.name}: {alarm}" for alarm in drift.miscounts(tally)]


def _count(tally: drift.Tally, p: Passage, outcome: Outcome) -> None:
    request, usage = p.request, outcome.usage
    if usage is None or usage.input_audio or not drift.countable(request.fields, len(request.body)):
        return
    asked = tokens.estimate_request(request.fields)
    if drift.enough(asked):
        tally.prompt.add(asked, usage.input)
    shown = drift.output_shown(usage)
    if shown and outcome.ending == "complete" and len(outcome.raw) <= _LONGEST_REPLY:
        made = tokens.estimate_tokens(text_of(outcome.raw, streamed=outcome.streamed))
        if drift.enough(made):
            tally.answer.add(made, shown)
