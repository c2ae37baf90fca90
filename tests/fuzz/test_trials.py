"""A hundred thousand changed inputs of everything that reads bytes: nothing is raised, nothing hangs, every law holds.

``make soak`` makes ten million. What was found once is a row of ``rows.jsonl``.
"""

from __future__ import annotations

import random

import pytest
from benchmarks.fuzz import TRIALS

from tests.fuzz.law import Case, row, rows, tried

IN_ALL = 100_000
SHARE = {"configuration": 0.02, "SSE recorder": 0.5}
"""Of an equal part of them, for the slow ones; the others make up for it."""


def count(name: str) -> int:
    return int(IN_ALL / len(TRIALS) * SHARE.get(name, 1.2))


def test_they_are_so_many():
    assert sum(map(count, TRIALS)) >= IN_ALL


@pytest.mark.parametrize("name", TRIALS)
def test_changed_inputs_break_no_law(name: str):
    ends = tried(TRIALS[name], random.Random(f"20261128 {name}"), count(name))
    assert ends.total() == count(name)
    assert len(ends) > 1 or name == "canonical key", "the changes are too wild or too tame"


@pytest.mark.parametrize(("name", "case"), rows())
def test_what_was_found_once_is_not_found_again(name: str, case: Case):
    assert TRIALS[name].check(case)


def test_a_case_that_was_found_can_be_kept():
    case = (b"\xff\0a", b"")
    assert '"trial": "SSE splitter"' in row("SSE splitter", case)
