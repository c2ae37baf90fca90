"""What the providers say of their own replies, held against what was seen, target by target."""

from __future__ import annotations

from pennyworth.decide.drift import FIT, Line, alarms
from pennyworth.engine.counters import Counters


def drift(counters: Counters) -> dict[str, object]:
    """Every target that said a usage, by name."""
    return {
        target: {
            "replies": tally.replies,
            "other_model": tally.wrong,
            "last_other_model": tally.said,
            "input": _line(tally.prompt),
            "output": _line(tally.answer),
            "alarms": list(alarms(tally)),
        }
        for target, tally in sorted(counters.drift.items())
    }


def _line(line: Line) -> dict[str, object]:
    """``a_token``: of theirs for each of ours at first. ``ratio``: lately, over what that lets us expect."""
    return {
        "compared": int(line.fits),
        "fitted": line.fits >= FIT,
        "a_token": round(line.a_token, 3) if line.fits else None,
        "ratio": round(line.ratio, 3) if line.recent else None,
    }
