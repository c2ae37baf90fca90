"""What can go wrong with a batch as a whole. What goes wrong with one line stands in its line of the output."""

from __future__ import annotations

from pennyworth.errors import PennyworthError


class BatchError(PennyworthError):
    """It cannot be begun or gone on with: ``problem``, with the value, and what to do next."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}\n{fix}")
        self.problem = problem
        self.fix = fix


class RefusedError(BatchError):
    """A provider does not take a batch, and asking again would not help. Nothing is paid."""
