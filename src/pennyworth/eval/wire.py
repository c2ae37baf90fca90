"""``pennyworth eval wire``: recorded traffic of all dialects, through the shipped code, row by row.

What is required must hold for every row of the dialects we speak. How much can be said in another dialect, what has a
price, and what else was recorded, is reported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pennyworth.eval.case import case_of
from pennyworth.eval.checks import CHECKS, Finding, Settings
from pennyworth.eval.figures import Figure, Tally
from pennyworth.eval.rows import Row
from pennyworth.request import Dialect
from pennyworth.wire.dialects import CODECS

_REQUIRED = ("read", "request_rebuilt", "reply_rebuilt", "cuts_equal", "broken_never_complete", "usage_right")
_ALIKE = "_equal_from_"
"""What could be carried at all must have come back as it went."""
_COUNTED = "kept_though_never"
"""Of this the rows are counted for which it does not hold: there must be none."""
_MOST_SHOWN = 40


def figures(data: str, rows: Iterable[Row], settings: Settings) -> Iterator[Figure]:
    """All measures by dialect, when all rows have been seen."""
    tallies: dict[Dialect, dict[str, Tally]] = {dialect: defaultdict(Tally) for dialect in CODECS}
    counts: Counter[Dialect] = Counter()
    rest: Counter[str] = Counter()
    for row in rows:
        counts[row.dialect] += 1
        if row.dialect not in tallies:
            rest[row.provider or "unknown"] += 1
            continue
        for finding in findings(row, settings):
            tallies[row.dialect][finding.measure].add(row.id, right=finding.right, why=finding.why)
    for dialect in CODECS:
        yield _figure(data, f"{dialect}.rows", counts[dialect], counts[dialect], {})
        yield from (
            _measured(data, dialect, name, tally) for name, tally in sorted(tallies[dialect].items(), key=_place)
        )
    yield _figure(data, "rest.rows", rest.total(), rest.total(), {"providers": dict(rest.most_common())})


def findings(row: Row, settings: Settings) -> Iterator[Finding]:
    """A judge must not fall over what it judges: whatever is raised, the row has failed, and says why."""
    try:
        case = case_of(row)
    except Exception as error:
        yield Finding("read", False, _raised(error))
        return
    for check in CHECKS:
        try:
            yield from check(case, settings)
        except Exception as error:
            yield Finding(check.__name__, False, _raised(error))


def _raised(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _place(measured: tuple[str, Tally]) -> tuple[bool, bool, str]:
    """What is required first, in one order for all dialects."""
    name = measured[0]
    return name not in (*_REQUIRED, _COUNTED), _ALIKE not in name, name


def _measured(data: str, dialect: Dialect, name: str, tally: Tally) -> Figure:
    detail: dict[str, Any] = {}
    if name in _REQUIRED or _ALIKE in name:
        detail["required"] = 1.0
    if name == _COUNTED:
        detail["required"] = 0
    if tally.failed:
        detail["rows"] = dict(list(tally.failed.items())[:_MOST_SHOWN])
        detail["reasons"] = dict(Counter(tally.failed.values()).most_common(_MOST_SHOWN))
    if tally.notes:
        detail["notes"] = dict(tally.notes.most_common(_MOST_SHOWN))
    value = tally.n - tally.right if name == _COUNTED else tally.share
    return _figure(data, f"{dialect}.{name}", value, tally.n, detail)


def _figure(data: str, measure: str, value: float, n: int, detail: dict[str, Any]) -> Figure:
    return Figure(eval="wire", data=data, measure=measure, value=value, n=n, detail=detail)
