"""How a command ends: the exit codes, and the error that carries one. What stands here is what scripts may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pennyworth.errors import PennyworthError

OK = 0
FAILED = 1
USAGE = 2
NOT_THERE = 3
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        OK: "done",
        FAILED: "failed, or the books do not balance",
        USAGE: "the command line or the configuration is wrong",
        NOT_THERE: "not there or not reachable",
        INTERRUPTED: "interrupted",
    }
)


class CommandError(PennyworthError):
    """A command ends here: what was wrong, with the value; what to do next; and the exit code."""

    def __init__(self, problem: str, fix: str = "", *, code: int = FAILED) -> None:
        super().__init__(f"{problem}\n{fix}" if fix else problem)
        self.problem = problem
        self.fix = fix
        self.code = code


def wrong_usage(problem: str, fix: str) -> CommandError:
    return CommandError(problem, fix, code=USAGE)


def not_there(problem: str, fix: str) -> CommandError:
    return CommandError(problem, fix, code=NOT_THERE)
