"""What is written to the prompt cache and read from it, by the marks in a prompt: Anthropic's published rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pennyworth.sandbox.bill import Tokens
from pennyworth.sandbox.messages_prompts import Block, MarkedPrompts, blocks_of, minimum_of

LEAST = 10


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def prompts(clock: Clock | None = None, capacity: int = 100) -> MarkedPrompts:
    return MarkedPrompts(capacity, clock or Clock())


def block(name: str, tokens: int = 8, ttl: str = "") -> Block:
    return Block(tuple(f"{name}{i}" for i in range(tokens)), ttl)


def test_a_prompt_without_marks_is_neither_read_nor_written():
    known = prompts()
    for _ in range(2):
        assert known.count("a", [block("x", 50)], LEAST) == Tokens(input=50)


def test_a_mark_writes_up_to_its_block_and_reads_it_the_next_time():
    known, asked = prompts(), [block("x", 20, "5m"), block("y", 5)]
    assert known.count("a", asked, LEAST) == Tokens(input=25, written=20)
    assert known.count("a", asked, LEAST) == Tokens(input=25, cached=20)
    assert known.count("b", asked, LEAST) == Tokens(input=25, written=20)


def test_a_prefix_below_the_minimum_is_neither_read_nor_written():
    known, asked = prompts(), [block("x", LEAST - 1, "5m"), block("y", 5)]
    for _ in range(2):
        assert known.count("a", asked, LEAST) == Tokens(input=LEAST + 4)


def test_a_conversation_that_grows_reads_what_it_wrote_before_and_writes_the_rest():
    known, turns = prompts(), [block("a", 20), block("b", 10), block("c", 10)]
    assert known.count("a", [turns[0]._replace(ttl="5m")], LEAST) == Tokens(input=20, written=20)
    grown = [turns[0], turns[1], turns[2]._replace(ttl="5m")]
    assert known.count("a", grown, LEAST) == Tokens(input=40, cached=20, written=20)


def test_twenty_blocks_are_looked_back_and_no_more():
    for between, read in ((20, 20), (21, 0)):
        known = prompts()
        known.count("a", [block("start", 20, "5m")], LEAST)
        grown = [block("start", 20), *[block(f"t{i}", 1) for i in range(between - 1)], block("end", 1, "5m")]
        assert known.count("a", grown, LEAST).cached == read


def test_another_block_in_front_is_another_prefix():
    known = prompts()
    known.count("a", [block("x", 20, "5m")], LEAST)
    assert known.count("a", [block("y", 20), block("x", 20, "5m")], LEAST) == Tokens(input=40, written=40)


def test_it_is_forgotten_after_its_time_without_use_and_use_is_for_nothing():
    clock = Clock()
    known, short, long = prompts(clock), [block("x", 20, "5m")], [block("y", 20, "1h")]
    known.count("a", short, LEAST)
    known.count("a", long, LEAST)
    for clock.now in (299.0, 598.0):
        assert known.count("a", short, LEAST).cached == 20
    clock.now = 598.0 + 301.0
    assert known.count("a", short, LEAST).cached == 0
    assert known.count("a", long, LEAST).cached == 20
    clock.now += 3601.0
    assert known.count("a", long, LEAST) == Tokens(input=20, written=20, written_1h=20)


def test_what_is_kept_for_an_hour_comes_before_what_is_kept_for_minutes():
    known = prompts()
    asked = [block("x", 20, "1h"), block("y", 10, "5m"), block("z", 3)]
    assert known.count("a", asked, LEAST) == Tokens(input=33, written=30, written_1h=20)
    assert known.count("a", asked, LEAST) == Tokens(input=33, cached=30)
    changed = [block("x", 20, "1h"), block("w", 10, "5m")]
    assert known.count("a", changed, LEAST) == Tokens(input=30, cached=20, written=10)


def test_what_is_kept_for_an_hour_stays_so_when_it_is_marked_for_minutes():
    clock = Clock()
    known = prompts(clock)
    known.count("a", [block("x", 20, "1h")], LEAST)
    for clock.now in (1.0, 4000.0 - 401.0):
        assert known.count("a", [block("x", 20, "5m")], LEAST).cached == 20
    for clock.now, cached in ((8000.0, 0), (8301.0, 0)):  # forgotten, and then written for minutes
        assert known.count("a", [block("x", 20, "5m")], LEAST).cached == cached


BLOCKS = st.lists(
    st.builds(block, st.sampled_from("abc"), st.integers(0, 20), st.sampled_from(["", "", "5m"])),
    min_size=1,
    max_size=5,
)


@given(st.lists(BLOCKS, max_size=6))
def test_each_token_is_counted_once_and_the_same_prompt_is_never_written_twice(asked):
    known = prompts()
    for blocks in asked:
        counted = known.count("a", blocks, LEAST)
        assert counted.input == sum(len(one.tokens) for one in blocks)
        assert 0 <= counted.written_1h <= counted.written
        assert counted.cached + counted.written <= counted.input
        again = known.count("a", blocks, LEAST)
        assert (again.cached, again.written) == (counted.cached + counted.written, 0)


def test_tools_come_first_then_the_system_prompt_and_where_it_is_marked_makes_no_other_prompt():
    mark = {"cache_control": {"type": "ephemeral"}}
    fields = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello", **mark}]}],
        "system": [{"type": "text", "text": "brief"}],
        "tools": [{"name": "f", "input_schema": {}}],
    }
    plain = {**fields, "messages": [{"role": "user", "content": "hello"}]}
    (tool, system, _, message, _) = blocks_of(fields)
    assert ("f" in tool.tokens, "brief" in system.tokens, "hello" in message.tokens) == (True, True, True)
    assert [one.tokens for one in blocks_of(plain)] == [one.tokens for one in blocks_of(fields)]
    assert [one.ttl for one in blocks_of({**plain, **mark})] == ["", "", "", "5m", ""]


def test_the_minimum_depends_on_the_model():
    names = ("claude-sonnet-4-5", "claude-haiku-4-5-20251001", "claude-opus-4-5", "claude-3-5-haiku-latest", "gpt-4o")
    assert [minimum_of(name) for name in names] == [1024, 4096, 4096, 2048, 1024]
