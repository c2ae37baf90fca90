"""What speaks against the bytes of a reply, row by row, and that a recorder heeds it."""

import pytest

from pennyworth.testing.chat_bytes import chat_events
from pennyworth.wire import chat, doubts


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (b"", ""),
        (b"data: [DONE]", ""),
        (b": a comment", ""),
        (b'data: {"a":1}', "the last event is not whole"),
        (b"<html>", "trailing bytes that are no event"),
    ],
)
def test_what_is_left_when_a_body_ends(rest: bytes, said: str) -> None:
    assert doubts.of_rest(rest) == said


def test_a_reply_whose_last_event_has_no_end_is_not_kept_though_each_choice_has_ended() -> None:
    *events, last = chat_events(["Hi"], usage=(9, 2), done=False)
    recorder = chat.recorder()
    recorder.feed_all(events)
    recorder.feed_rest(last.rstrip())
    outcome = recorder.outcome(status=200, raw=b"".join(events) + last.rstrip(), streamed=True, ended=True, expected=1)
    assert outcome.fault == "the last event is not whole"
    assert outcome.usage is not None
