"""Which outcomes are asked again, which elsewhere, and which speak against a target."""

import pytest

from pennyworth.decide.fault import judge
from pennyworth.outcome import Outcome

QUOTA = (
    b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}'
)
OVERLOADED = b'data: {"error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
FAILED = (
    b'event: response.created\ndata: {"type":"response.created","response":{"error":null,"instructions":"%b"}}\n\n'
    b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"%b","message":"x"},"a":1}}\n\n'
)
BAD_FIELD = b'data: {"error":{"type":"invalid_request_error","message":"no such field"}}\n\n'


def of(status: int, **more: object) -> Outcome:
    ending = more.pop("ending", "error" if status >= 400 or not status else "complete")
    return Outcome(ending=ending, status=status, **more)  # type: ignore[arg-type]


ROWS = [
    ("a good reply", of(200), "none", False, False, False),
    ("a bad field", of(400), "lasting", False, False, False),
    ("an unknown model", of(404), "lasting", False, False, False),
    ("a conflict", of(409), "lasting", False, False, False),
    ("too much for the context", of(413), "lasting", False, False, False),
    *((f"status {status}", of(status), "passing", True, True, True) for status in (408, 500, 502, 503, 504, 529)),
    ("a rate limit", of(429), "limited", True, True, False),
    ("no money, as 429", of(429, raw=QUOTA), "exhausted", False, True, False),
    ("no money, as 402", of(402), "exhausted", False, True, False),
    ("our key refused", of(401), "denied", False, True, False),
    ("a redirect", of(302), "broken", False, True, True),
    ("another 5xx", of(501), "broken", False, True, True),
    ("no connection", of(0, broke="connect"), "passing", True, True, True),
    ("a reset", of(0, broke="reset"), "passing", True, True, True),
    ("a time-out", of(0, broke="timeout"), "broken", False, True, True),
    ("not HTTP", of(0, broke="malformed"), "broken", False, True, True),
    ("no room here", of(0, broke="no_room", ending="refused"), "turned_away", False, True, False),
    ("left alone", of(0, broke="resting", ending="refused"), "turned_away", False, True, False),
    ("a stream broken before content", of(200, ending="cut", streamed=True, broke="reset"), "passing", True, True, True),
    (
        "a response that failed for a reason that passes, after a long prompt",
        of(200, ending="error", streamed=True, raw=FAILED % (b"x" * 9000, b"server_error")),
        *("passing", True, True, True),
    ),
    (
        "a response that failed for good, though its prompt speaks of a timeout",
        of(200, ending="error", streamed=True, raw=FAILED % (b"timeout", b"invalid_image")),
        *("broken", False, True, True),
    ),
    ("a stream without an end", of(200, ending="cut", streamed=True, whole=True), "broken", False, True, True),
    ("an overload as first event", of(200, ending="error", streamed=True, raw=OVERLOADED), "passing", True, True, True),
    ("a refusal as first event", of(200, ending="error", streamed=True, raw=BAD_FIELD), "broken", False, True, True),
    ("no money, as first event", of(200, ending="error", streamed=True, raw=b"data: " + QUOTA + b"\n\n"), "exhausted", False, True, False),
    ("a stream broken after content", of(200, ending="cut", streamed=True, broke="reset", began=True), "none", False, False, False),
    ("nobody there any more", of(200, ending="caller_left"), "none", False, False, False),
    ("an odd body that came whole", of(200, ending="cut", whole=True), "none", False, False, False),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "kind", "retry", "fall_back", "trips"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])  # fmt: skip
def test_an_outcome_is_judged_by_what_asking_again_could_help(
    outcome: Outcome, kind: str, retry: bool, fall_back: bool, trips: bool
) -> None:
    found = judge(outcome)
    assert (found.kind, found.retry, found.fall_back, found.trips) == (kind, retry, fall_back, trips)


def test_what_has_begun_is_never_asked_again_whatever_became_of_it() -> None:
    for status in (200, 500, 503):
        for broke in ("", "reset", "timeout", "malformed", "too_large"):
            found = judge(Outcome(ending="cut", status=status, began=True, streamed=True, broke=broke))  # type: ignore[arg-type]
            assert (found.retry, found.fall_back) == (False, False)
