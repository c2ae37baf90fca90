"""What a fault does to the bytes of one direction, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.testing.chaos.faults import (
    BlackHole,
    Corrupt,
    Course,
    Cut,
    Delay,
    End,
    Fault,
    Pass,
    Rate,
    Reset,
    Stall,
    Swallow,
    Wait,
    Way,
    read_fault,
)

DATA = bytes(range(256)) * 4


def ran(course: Course, *pieces: bytes) -> tuple[bytes, list[Wait | End]]:
    """What was passed until the end, and what else happened."""
    acts = [*course.begin(), *(act for piece in pieces for act in course.feed(piece))]
    end = next((place for place, act in enumerate(acts) if isinstance(act, End)), len(acts))
    acts = acts[: end + 1]
    passed = b"".join(act.data for act in acts if isinstance(act, Pass))
    return passed, [act for act in acts if not isinstance(act, Pass)]


ways: st.SearchStrategy[Way] = st.sampled_from(["down", "up"])
offsets = st.integers(0, len(DATA) + 10)
faults: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Cut, at=offsets, way=ways),
    st.builds(Reset, at=offsets, way=ways),
    st.builds(Stall, at=offsets, s=st.floats(0, 5), way=ways),
    st.builds(Swallow, at=offsets, way=ways),
    st.builds(Corrupt, at=st.lists(offsets, max_size=3).map(tuple), share=st.sampled_from([0.0, 0.01, 0.5]), way=ways),
    st.builds(Rate, bytes_per_s=st.sampled_from([1.0, 100.0, 1e6]), way=ways),
)


@given(st.lists(faults, max_size=4), st.lists(st.integers(0, len(DATA)), max_size=6), st.text(max_size=3))
def test_what_arrives_does_not_depend_on_how_it_was_cut(chosen: list[Fault], cuts: list[int], seed: str):
    places = sorted(cuts)
    pieces = [DATA[a:b] for a, b in zip([0, *places], [*places, len(DATA)], strict=True)]
    whole, cut = Course(chosen, "down", seed), Course(chosen, "down", seed)
    first, second = ran(whole, DATA), ran(cut, *pieces)
    assert first[0] == second[0]
    assert [act for act in first[1] if isinstance(act, End)] == [act for act in second[1] if isinstance(act, End)]
    assert whole.corrupted[: len(cut.corrupted)] == cut.corrupted[: len(whole.corrupted)]


@given(st.lists(faults.filter(lambda fault: getattr(fault, "way", "") == "up"), max_size=3))
def test_a_fault_of_the_other_way_changes_nothing(chosen: list[Fault]):
    assert ran(Course(chosen, "down"), DATA) == (DATA, [])


@pytest.mark.parametrize("at", [0, 1, 300, len(DATA) - 1])
def test_it_ends_at_exactly_this_byte(at: int):
    assert ran(Course([Cut(at=at)], "down"), DATA) == (DATA[:at], [End(by_reset=False)])
    assert ran(Course([Reset(at=at)], "down"), DATA) == (DATA[:at], [End(by_reset=True)])
    assert ran(Course([Stall(at=at, s=2)], "down"), DATA) == (DATA, [Wait(2)])
    assert ran(Course([Swallow(at=at)], "down"), DATA) == (DATA[:at], [])


def test_bytes_are_changed_where_it_was_said_and_nowhere_else():
    course = Course([Corrupt(at=(3, 700))], "down")
    passed, _ = ran(course, DATA)
    assert [place for place, (one, other) in enumerate(zip(passed, DATA, strict=True)) if one != other] == [3, 700]
    assert course.corrupted == [3, 700]


def test_a_share_of_the_bytes_is_changed_and_the_same_ones_for_the_same_seed():
    first, again, other = (Course([Corrupt(share=0.05)], "down", seed) for seed in ("a", "a", "b"))
    spoilt = ran(first, DATA * 10)[0]
    assert ran(again, DATA * 10)[0] == spoilt
    assert ran(other, DATA * 10)[0] != spoilt
    assert 300 < len(first.corrupted) < 800


def test_a_rate_is_kept_to_by_pieces_and_pauses():
    passed, acts = ran(Course([Rate(bytes_per_s=100)], "down"), DATA)
    assert passed == DATA
    assert sum(act.s for act in acts if isinstance(act, Wait)) == pytest.approx(len(DATA) / 100)
    assert ran(Course([Rate(bytes_per_s=1)], "down"), b"abc")[1] == [Wait(1.0)] * 3


def test_every_piece_is_late():
    _, acts = ran(Course([Delay(s=0.2, jitter_s=0.1)], "down", "seed"), b"a", b"b")
    assert len(acts) == 2
    assert all(isinstance(act, Wait) and 0.1 <= act.s <= 0.3 for act in acts)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cut,at=1200", Cut(at=1200)),
        ("reset,at=0,way=up", Reset(at=0, way="up")),
        ("delay,s=0.2,jitter_s=0.1", Delay(s=0.2, jitter_s=0.1)),
        ("stall,at=5", Stall(at=5)),
        ("corrupt,at=12+90", Corrupt(at=(12, 90))),
        ("corrupt,share=0.01", Corrupt(share=0.01)),
        ("black-hole", BlackHole()),
    ],
)
def test_a_fault_as_people_write_it(text: str, fault: Fault):
    assert read_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cuts,at=1", "there are black-hole, corrupt, cut"),
        ("cut,where=1", "it has at, way"),
        ("cut", "missing required field `at`"),
        ("cut,at=x", "Expected `int`"),
        ("cut,at=1,way=left", "Invalid enum value"),
    ],
)
def test_a_fault_that_is_none_is_refused_with_what_there_is(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        read_fault(text)
