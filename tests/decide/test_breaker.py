"""When a target is left alone, for how long, and who finds out whether it is well again."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide import breaker, pace
from pennyworth.decide.breaker import WELL
from pennyworth.plan import Persistence

SPEC = Persistence(trip_after=3, rest_s=5.0)


def failing(times: int, now_s: float = 100.0) -> breaker.Breaker:
    seen = WELL
    for _ in range(times):
        seen = breaker.failed(seen, SPEC, now_s)
    return seen


def test_failures_in_a_row_trip_it_and_a_success_between_them_does_not_count_them_together() -> None:
    assert not failing(2).resting
    assert failing(3).resting
    assert not breaker.failed(breaker.answered(failing(2)), SPEC, 100.0).resting


def test_a_rest_ends_with_one_request_that_finds_out_for_all() -> None:
    rested = failing(3)
    assert breaker.wait_s(rested, 101.0) == 4.0
    assert breaker.wait_s(rested, 105.0) == 0.0
    probing = breaker.asking(rested)
    assert breaker.wait_s(probing, 105.0) == 1.0
    assert breaker.wait_s(breaker.unknown(probing), 105.0) == 0.0
    assert breaker.answered(probing) == WELL


def test_each_rest_is_twice_as_long_up_to_a_minute() -> None:
    seen, now, rests = failing(3), 100.0, []
    for _ in range(8):
        rests.append(seen.until_s - now)
        now = seen.until_s
        seen = breaker.failed(breaker.asking(seen), SPEC, now)
    assert rests == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0]


def test_calls_that_were_under_way_when_it_was_laid_to_rest_do_not_make_the_rest_longer() -> None:
    """Hundreds may be, and all of them fail for the same reason."""
    rested = failing(3)
    for _ in range(200):
        rested = breaker.failed(rested, SPEC, 101.0)
    assert rested == failing(3)


def test_an_account_without_money_rests_five_minutes() -> None:
    assert breaker.wait_s(breaker.exhausted(WELL, 100.0), 100.0) == 300.0


@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "left"]), st.floats(0.01, 30)), max_size=60))
def test_at_any_time_a_target_is_asked_or_says_when(events: list[tuple[str, float]]) -> None:
    seen, now = WELL, 0.001
    for what, later in events:
        now += later
        if breaker.wait_s(seen, now):
            assert seen.resting
            assert breaker.wait_s(seen, now) <= 60.0
            continue
        seen = breaker.asking(seen)
        match what:
            case "ok":
                seen = breaker.answered(seen)
            case "left":
                seen = breaker.unknown(seen)
            case _:
                seen = breaker.failed(seen, SPEC, now)
        assert not seen.probing
    assert breaker.wait_s(seen, now + 61.0) == 0.0


def test_a_burst_of_refusals_is_one_cut_and_successes_at_the_limit_raise_it_again() -> None:
    cut = pace.limited(pace.Pace(), 20, None, 20.0, 10.0, 9.0)
    assert (cut.limit, cut.hold_until_s) == (16.0, 0.0)
    assert pace.limited(cut, 20, 2.0, 20.0, 10.1, 9.5) is cut
    grown = cut
    for _ in range(16):
        grown = pace.succeeded(grown, 16)
    assert 16.9 < grown.limit < 17.1
    assert pace.succeeded(cut, 3) is cut


def test_too_many_at_once_only_lowers_their_number_and_too_many_a_minute_holds_new_ones_back() -> None:
    cut = pace.limited(pace.Pace(), 64, 1.0, 20.0, 10.0, 9.9)
    assert (cut.limit, cut.hold_until_s) == (51.2, 0.0)
    grown = msgspec.structs.replace(cut, limit=60.0)
    above = pace.limited(grown, 60, 1.0, 20.0, 20.0, 19.9)
    assert (above.limit, above.hold_until_s) == (48.0, 0.0)
    below = pace.limited(above, 48, 1.0, 20.0, 20.5, 20.4)  # refused at as few as were just allowed
    assert (below.limit, below.hold_until_s) == (48.0 * 0.8, 21.5)
    assert pace.limited(pace.Pace(), 2, 3.0, 20.0, 10.0, 9.9).hold_until_s == 13.0


def test_an_absurd_pause_holds_nobody_back_for_longer_than_is_configured() -> None:
    assert pace.limited(pace.Pace(), 2, 1e9, 20.0, 10.0, 9.0).hold_until_s == 30.0
    assert pace.limited(pace.Pace(), 1, None, 20.0, 10.0, 9.0).limit == 1.0
