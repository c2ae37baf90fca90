"""How much memory the gateway takes: when it has started, and as requests go through it. Is it flat?

Three requests in ten repeat one of a thousand questions, three in ten are streams, and one stream in twenty is left by
its caller. Every new answer is kept, so memory grows until L1 is full (20,000 answers) and must not after that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks import machine
from benchmarks.load import Job, Result
from benchmarks.programs import Served, bench
from benchmarks.sheet import Sheet

Ask = Callable[[Job], Result]

REQUIRED_MB = 150.0
SLICES = 10


class Mark(NamedTuple):
    """So many requests have gone through, and so much memory is held."""

    requests: int
    resident_mb: float


class Course(NamedTuple):
    """Memory over requests, and what the callers saw."""

    marks: Sequence[Mark]
    bad: int
    first_bad: str

    @property
    def highest_mb(self) -> float:
        return max(mark.resident_mb for mark in self.marks)

    @property
    def slope_mb(self) -> float:
        """Megabytes per 10⁵ requests, by least squares over the second half."""
        marks = self.marks[len(self.marks) // 2 :]
        middle = sum(mark.requests for mark in marks) / len(marks)
        spread = sum((mark.requests - middle) ** 2 for mark in marks)
        return 1e5 * sum((mark.requests - middle) * mark.resident_mb for mark in marks) / spread if spread else 0.0


def mixed(port: int, requests: int, part: int) -> Job:
    """The mixture; ``part`` makes its new questions new."""
    return Job(
        port=port,
        connections=32,
        requests=requests,
        salt="mixed",
        fresh=f"part{part}",
        repeats=0.3,
        pool=1_000,
        traced=True,
        streams=0.3,
        leaves=0.05,
    )


def course(
    gateway: Served, ask: Ask, requests: int, said: Callable[[Mark, Result], None], slices: int = SLICES
) -> Course:
    """Sends the mixture in slices; ``said`` is told of each."""
    marks = [Mark(0, machine.resident_mb(gateway.pid))]
    bad, first_bad = 0, ""
    for part in range(slices):
        result = ask(mixed(gateway.port, requests // slices, part))
        machine.settled(gateway.pid)
        bad += result.bad
        first_bad = first_bad or result.first_bad
        marks.append(Mark((part + 1) * (requests // slices), machine.resident_mb(gateway.pid)))
        said(marks[-1], result)
    return Course(marks, bad, first_bad)


def run(*, requests: int = 100_000) -> Sheet:
    """The bench."""
    machine.needs_proc()
    with bench() as programs, programs.gateway(programs.config(programs.folder / "state")) as gateway:
        machine.settled(gateway.pid)
        seen = course(gateway, programs.callers().run, requests, lambda mark, result: None)
    return Sheet(
        name="memory",
        title="Memory of the gateway, all of its processes (RSS, MB)",
        method=f"{requests:,} requests: 30 % repeat one of 1,000 questions, 30 % streams, 5 % of those left early.",
        rows=[{"requests": mark.requests, "RSS MB": mark.resident_mb} for mark in seen.marks],
        notes=(
            f"Highest {seen.highest_mb:.0f} MB, required at most {REQUIRED_MB:.0f}. Slope over the second half: "
            f"{seen.slope_mb:+.2f} MB per 10⁵ requests. Bad replies: {seen.bad}. {seen.first_bad}".rstrip(),
        ),
    )
